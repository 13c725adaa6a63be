#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/status.h"
#include "control/store/database.h"

namespace towline::control {

/// What SQLite and PostgreSQL do differently behind Database.
class Engine {
 public:
  using Work = std::function<Status(soci::session&)>;

  virtual ~Engine() = default;
  virtual Status read(const Work& work) = 0;
  /// One transaction. Other processes hear of it unless it is `quiet`.
  virtual Status write(const Work& work, bool quiet) = 0;
  virtual Status alone(const std::string& name, const std::function<Status()>& f) = 0;
  virtual bool was_free() const = 0;
  /// Whether every loud write of another process that is older than a second has been told.
  virtual bool hears_others() const = 0;
};

/// Both bring the schema up to date before they return.
Result<std::unique_ptr<Engine>> open_sqlite(const Database::Options& options);
Result<std::unique_ptr<Engine>> open_postgres(const Database::Options& options,
                                              std::function<void()> others_wrote);

/// The same message for both engines.
Status already_exists();
Status breaks_records();
Status takes_too_long();

}  // namespace towline::control
