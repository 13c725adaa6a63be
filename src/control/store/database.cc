#include "control/store/database.h"

#include "control/store/engine.h"

namespace towline::control {

Database::Database() = default;
Database::~Database() = default;

Result<std::unique_ptr<Database>> Database::open(const Options& options) {
  std::unique_ptr<Database> database(new Database);
  auto engine =
      options.url ? open_postgres(options, [made = database.get()] { made->bump(); }) : open_sqlite(options);
  if (!engine) return fail(engine.error());
  database->engine_ = std::move(*engine);
  return database;
}

Status Database::execute(Kind kind, const Work& work) {
  if (kind == Kind::kRead) return engine_->read(work);
  Status status = engine_->write(work, kind == Kind::kQuietWrite);
  if (status.ok() && kind == Kind::kWrite) bump();
  return status;
}

Status Database::alone(const std::string& name, const std::function<Status()>& f) {
  return engine_->alone(name, f);
}

bool Database::was_free() const { return engine_->was_free(); }

std::uint64_t Database::generation() const {
  if (!engine_->hears_others()) return generation_.fetch_add(1, std::memory_order_acq_rel) + 1;
  return generation_.load(std::memory_order_acquire);
}

Status already_exists() { return {Code::kAlreadyExists, "it exists already"}; }
Status takes_too_long() {
  return {Code::kDeadlineExceeded, "this takes the database too long: ask for less at once"};
}
Status breaks_records() { return {Code::kFailedPrecondition, "the change would break other records"}; }

}  // namespace towline::control
