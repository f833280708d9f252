// An executor that runs everything under a mutex, so that other threads may touch what its handlers
// touch while they hold it.
//
// Threading: any thread. What a handler dispatches to the same executor runs inside of it, so the
//   mutex is a recursive one.
// Source: the requirements are those of Asio's executors, met by passing every property on to the
//   executor below.
#pragma once

#include <boost/asio/prefer.hpp>
#include <boost/asio/query.hpp>
#include <boost/asio/require.hpp>
#include <mutex>
#include <type_traits>
#include <utility>

namespace rowhouse {

template <typename Inner>
class LockedExecutor {
 public:
  // The mutex outlives all handlers.
  LockedExecutor(Inner inner, std::recursive_mutex* mutex)
      : inner_(std::move(inner)), mutex_(mutex) {}

  template <typename Property>
  requires boost::asio::can_query<const Inner&, Property>::value decltype(auto) query(
      const Property& property) const noexcept {
    return boost::asio::query(inner_, property);
  }
  template <typename Property>
  requires boost::asio::can_require<const Inner&, Property>::value auto require(
      const Property& property) const noexcept {
    return Over(boost::asio::require(inner_, property));
  }
  template <typename Property>
  requires boost::asio::can_prefer<const Inner&, Property>::value auto prefer(
      const Property& property) const noexcept {
    return Over(boost::asio::prefer(inner_, property));
  }

  template <typename Function>
  void execute(Function&& function) const {
    inner_.execute([mutex = mutex_, function = std::forward<Function>(function)]() mutable {
      const std::lock_guard lock(*mutex);
      std::move(function)();
    });
  }

  friend bool operator==(const LockedExecutor& a, const LockedExecutor& b) noexcept {
    return a.inner_ == b.inner_ && a.mutex_ == b.mutex_;
  }
  friend bool operator!=(const LockedExecutor& a, const LockedExecutor& b) noexcept {
    return !(a == b);
  }

 private:
  template <typename Other>
  LockedExecutor<std::decay_t<Other>> Over(Other&& other) const noexcept {
    return {std::forward<Other>(other), mutex_};
  }

  Inner inner_;
  std::recursive_mutex* mutex_;
};

}  // namespace rowhouse
