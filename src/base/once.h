#pragma once

#include <functional>
#include <utility>

namespace towline {

/// The callback of an operation that ends once, for whichever reason comes first: an answer, or a deadline of
/// its own or of a step. Two of those may come in one turn of a loop that has slept, so calls after the first
/// do nothing. The function leaves this before it runs, because it usually destroys the operation.
template <typename... Arguments>
class Once {
 public:
  using Function = std::move_only_function<void(Arguments...)>;

  // NOLINTNEXTLINE(google-explicit-constructor): an operation takes the function and keeps this
  Once(Function function) : function_(std::move(function)) {}

  void operator()(Arguments... arguments) {
    Function function = std::exchange(function_, nullptr);
    if (function) function(std::forward<Arguments>(arguments)...);
  }

  /// Whether it is still to come.
  bool pending() const { return static_cast<bool>(function_); }

 private:
  Function function_;
};

}  // namespace towline
