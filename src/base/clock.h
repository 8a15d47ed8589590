// Time is handed in. Code that decides takes a TimePoint; code that waits takes a Clock or a net::Loop.
//
// TimePoint is monotonic and says nothing about the calendar. WallTime is for people, certificates and API objects
// (creationTimestamp, access logs) and may jump.
//
// Thread: every Clock may be read from any thread.

#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>

namespace tidegate {

using Duration = std::chrono::nanoseconds;
using TimePoint = std::chrono::time_point<std::chrono::steady_clock, Duration>;
using WallTime = std::chrono::time_point<std::chrono::system_clock, Duration>;

class Clock {
 public:
  virtual ~Clock() = default;
  virtual TimePoint now() const = 0;
  virtual WallTime wall() const = 0;
};

class SystemClock final : public Clock {
 public:
  TimePoint now() const override { return std::chrono::steady_clock::now(); }
  WallTime wall() const override { return std::chrono::system_clock::now(); }
};

// Stands still until told. For tests and for virtual time.
class ManualClock final : public Clock {
 public:
  explicit ManualClock(WallTime start = WallTime{} + std::chrono::hours(24 * 365 * 50)) : start_(start) {}
  TimePoint now() const override { return TimePoint{} + Duration(elapsed_ns_.load()); }
  WallTime wall() const override { return start_ + Duration(elapsed_ns_.load()); }
  void advance(Duration by) { elapsed_ns_ += by.count(); }

 private:
  WallTime start_;
  std::atomic<std::int64_t> elapsed_ns_{0};
};

// "2026-11-21T21:40:18Z", as Kubernetes writes it; with milliseconds for logs.
std::string rfc3339(WallTime time);
std::string rfc3339_ms(WallTime time);

inline double seconds(Duration duration) { return std::chrono::duration<double>(duration).count(); }
inline double milliseconds(Duration duration) {
  return std::chrono::duration<double, std::milli>(duration).count();
}

}  // namespace tidegate
