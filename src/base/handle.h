#pragma once

#include <memory>

namespace towline {

template <auto Free>
struct HandleDeleter {
  template <typename T>
  void operator()(T* handle) const {
    Free(handle);
  }
};

/// The one owner of an object of a C library: Handle<SSL, SSL_free>.
template <typename T, auto Free>
using Handle = std::unique_ptr<T, HandleDeleter<Free>>;

}  // namespace towline
