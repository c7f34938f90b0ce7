#pragma once

#include <chrono>
#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <string_view>
#include <variant>

#include "base/log_keys.h"
#include "base/result.h"

namespace escagent {

enum class LogLevel { kDebug, kInfo, kWarning, kError, kOff };

// "debug", "info", "warn" or "error".
Result<LogLevel> ParseLogLevel(std::string_view text);

// What a field may hold: a closed set, which a Secret is not part of.
using LogValue =
    std::variant<std::string_view, std::int64_t, bool, std::chrono::microseconds, const Error*>;

struct LogField {
  LogField(LogKey k, std::string_view v) : key(k), value(v) {}
  LogField(LogKey k, const char* v) : key(k), value(std::string_view(v)) {}
  template <std::integral T>
    requires(!std::same_as<T, bool>)
  LogField(LogKey k, T v) : key(k), value(static_cast<std::int64_t>(v)) {}
  LogField(LogKey k, std::same_as<bool> auto v) : key(k), value(v) {}
  template <class Rep, class Period>
  LogField(LogKey k, std::chrono::duration<Rep, Period> v)
      : key(k), value(std::chrono::duration_cast<std::chrono::microseconds>(v)) {}
  LogField(LogKey k, const Error& v) : key(k), value(&v) {}

  LogKey key;
  LogValue value;
};

// Structured log: one JSON object a line on stderr, with "time", "level", "message" (fixed English
// text: data goes into fields) and the fields. Thread-safe. Not used in base/, in destructors, or
// on the FUSE read path.
void Log(LogLevel level, std::string_view message, std::initializer_list<LogField> fields = {});

inline void LogDebug(std::string_view message, std::initializer_list<LogField> fields = {}) {
  Log(LogLevel::kDebug, message, fields);
}
inline void LogInfo(std::string_view message, std::initializer_list<LogField> fields = {}) {
  Log(LogLevel::kInfo, message, fields);
}
inline void LogWarning(std::string_view message, std::initializer_list<LogField> fields = {}) {
  Log(LogLevel::kWarning, message, fields);
}
inline void LogError(std::string_view message, std::initializer_list<LogField> fields = {}) {
  Log(LogLevel::kError, message, fields);
}

// Lines below this level are dropped. Default kInfo.
void SetLogLevel(LogLevel level);

}  // namespace escagent
