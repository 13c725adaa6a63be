#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/files.h"
#include "base/log.h"
#include "control/git_http/push_dialogue.h"
#include "io/descriptor.h"
#include "io/loop.h"

namespace towline::control::git_http {

/// Our end of the socket that the hooks of a push speak through. Lives on its loop. Destroying it refuses
/// what has not been answered.
class PushLink final : public io::Descriptor::Watcher {
 public:
  /// Called for one question at a time, never from inside a call; answer() follows, then or later.
  using Ask = std::function<void(PushDialogue::Question)>;
  PushLink(io::Loop& loop, ::towline::Descriptor fd, Ask ask, Logger log);

  /// `last`: nothing more will be said.
  void answer(std::string text, bool last);

 private:
  void ready_to_read() override;
  void ready_to_write() override { write(); }
  void write();
  void close() { descriptor_.reset(); }

  io::Loop& loop_;
  Ask ask_;
  Logger log_;
  PushDialogue dialogue_;
  std::string unsent_;
  bool last_ = false;
  std::unique_ptr<io::Descriptor> descriptor_;
};

}  // namespace towline::control::git_http
