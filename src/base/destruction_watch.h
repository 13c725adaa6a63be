#pragma once

namespace towline {

/// Tells a member function whether a callback that it made has destroyed its object:
///
///   DestructionWatch watch(alive_);   // alive_ is a DestructionWatch::Subject member
///   handler_->on_message(message);
///   if (watch.destroyed()) return;
///
/// Watches nest, and end in the reverse order of their making, as scopes do.
class DestructionWatch {
 public:
  class Subject {
   public:
    Subject() = default;
    Subject(const Subject&) = delete;
    Subject& operator=(const Subject&) = delete;
    ~Subject() {
      for (DestructionWatch* watch = top_; watch != nullptr; watch = watch->below_) watch->subject_ = nullptr;
    }

   private:
    friend class DestructionWatch;
    DestructionWatch* top_ = nullptr;
  };

  explicit DestructionWatch(Subject& subject) : subject_(&subject), below_(subject.top_) {
    subject.top_ = this;
  }
  ~DestructionWatch() {
    if (subject_ != nullptr) subject_->top_ = below_;
  }
  DestructionWatch(const DestructionWatch&) = delete;
  DestructionWatch& operator=(const DestructionWatch&) = delete;

  bool destroyed() const { return subject_ == nullptr; }

 private:
  Subject* subject_;
  DestructionWatch* below_;
};

}  // namespace towline
