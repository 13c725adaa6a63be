#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <soci/soci.h>

#include "base/status.h"
#include "control/store/records.h"

namespace towline::control {

/// A value that no engine may store; Database answers with the status.
class Refusal : public std::runtime_error {
 public:
  explicit Refusal(Status status) : std::runtime_error(status.message()), status_(std::move(status)) {}
  const Status& status() const { return status_; }

 private:
  Status status_;
};

/// One statement with named parameters, which are copied; so values never become part of the text.
/// Only for the sources of store/: it brings SOCI's headers with it.
class Query {
 public:
  Query(soci::session& sql, const std::string& text) : statement_(sql) {
    statement_.alloc();
    // PostgreSQL then plans with the values known, in one round trip instead of three.
    statement_.prepare(text, soci::details::st_one_time_query);
  }

  Query& with(const char* name, std::int64_t value) {
    numbers_.push_back(value);
    statement_.exchange(soci::use(numbers_.back(), name));
    return *this;
  }
  /// INVALID_ARGUMENT for a text with a NUL, which PostgreSQL would cut off there.
  Query& with(const char* name, const std::string& value) {
    if (value.find('\0') != std::string::npos) {
      throw Refusal({Code::kInvalidArgument, std::string(name) + " must not contain NUL characters"});
    }
    texts_.push_back(value);
    statement_.exchange(soci::use(texts_.back(), name));
    return *this;
  }
  Query& with(const char* name, const char* value) { return with(name, std::string(value)); }
  Query& with(const char* name, Role value) { return with(name, static_cast<std::int64_t>(value)); }
  Query& with(const char* name, bool value) { return with(name, static_cast<std::int64_t>(value)); }
  Query& with(const Page& page) { return with("limit", page.size).with("offset", page.offset()); }

  void run() {
    statement_.define_and_bind();
    statement_.execute(true);
  }
  /// Runs a statement that changes rows and says how many it changed.
  std::int64_t changed() {
    run();
    return statement_.get_affected_rows();
  }
  /// The single number that the statement gives.
  std::int64_t number() {
    long long value = 0;
    statement_.exchange(soci::into(value));
    run();
    return value;
  }
  /// The rows that the statement gives. The columns stand in the order of `columns(Query&, T&)`.
  template <typename T>
  std::vector<T> rows() {
    std::vector<T> result;
    T row;
    columns(*this, row);
    statement_.define_and_bind();
    statement_.execute(false);
    while (statement_.fetch()) {
      for (const auto& convert : conversions_) convert();
      result.push_back(row);
    }
    return result;
  }
  template <typename T>
  std::optional<T> row() {
    auto all = rows<T>();
    if (all.empty()) return std::nullopt;
    return std::move(all.front());
  }

  /// Used by `columns`: the next column goes to `target`. A NULL is an error; statements use COALESCE.
  Query& into(std::string& target) {
    statement_.exchange(soci::into(target));
    return *this;
  }
  template <typename T>
  requires(std::is_integral_v<T> || std::is_enum_v<T>) Query& into(T& target) {
    long long& staged = staged_.emplace_back(0);
    statement_.exchange(soci::into(staged));
    conversions_.push_back([&staged, &target] { target = static_cast<T>(staged); });
    return *this;
  }

 private:
  soci::statement statement_;
  std::deque<long long> numbers_;
  std::deque<std::string> texts_;
  std::deque<long long> staged_;
  std::vector<std::function<void()>> conversions_;
};

}  // namespace towline::control
