#include "base/log.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <array>
#include <ctime>
#include <memory>
#include <string>

#include "base/json.h"

namespace escagent {
namespace {

spdlog::level::level_enum SpdlogLevel(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return spdlog::level::debug;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kWarning:
      return spdlog::level::warn;
    case LogLevel::kError:
      return spdlog::level::err;
    case LogLevel::kOff:
      return spdlog::level::off;
  }
  return spdlog::level::info;
}

std::string_view LevelName(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return "debug";
    case LogLevel::kInfo:
      return "info";
    case LogLevel::kWarning:
      return "warn";
    case LogLevel::kError:
      return "error";
    case LogLevel::kOff:
      return "off";
  }
  return "info";
}

spdlog::logger& Logger() {
  // Never destroyed: threads may log until the process is gone.
  static const auto* const logger = [] {
    auto sink = std::make_shared<spdlog::sinks::stderr_sink_mt>();
    auto made = std::make_shared<spdlog::logger>("esc-agent", std::move(sink));
    made->set_pattern("%v");
    made->flush_on(spdlog::level::debug);
    return new std::shared_ptr<spdlog::logger>(std::move(made));
  }();
  return **logger;
}

// RFC 3339 in UTC with milliseconds.
std::string Timestamp() {
  const auto now = std::chrono::system_clock::now();
  const auto millis =
      std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch()).count() % 1000;
  const std::time_t seconds = std::chrono::system_clock::to_time_t(now);
  std::tm tm{};
  gmtime_r(&seconds, &tm);
  std::array<char, 32> buffer;
  const std::size_t n = std::strftime(buffer.data(), buffer.size(), "%Y-%m-%dT%H:%M:%S", &tm);
  return std::string(buffer.data(), n) + "." + std::to_string(millis + 1000).substr(1) + "Z";
}

std::string ValueJson(const LogValue& value) {
  return std::visit(
      [](const auto& v) -> std::string {
        using T = std::decay_t<decltype(v)>;
        if constexpr (std::is_same_v<T, std::string_view>) {
          // What users and servers name may hold any bytes; a log line must stay valid JSON.
          return DumpJson(nlohmann::json(std::string(v)));
        } else if constexpr (std::is_same_v<T, std::int64_t>) {
          return std::to_string(v);
        } else if constexpr (std::is_same_v<T, bool>) {
          return v ? "true" : "false";
        } else if constexpr (std::is_same_v<T, std::chrono::microseconds>) {
          return std::to_string(static_cast<double>(v.count()) / 1e6);
        } else {
          return DumpJson(nlohmann::json(v->ToString()));
        }
      },
      value);
}

}  // namespace

Result<LogLevel> ParseLogLevel(std::string_view text) {
  if (text == "debug") return LogLevel::kDebug;
  if (text == "info") return LogLevel::kInfo;
  if (text == "warn" || text == "warning") return LogLevel::kWarning;
  if (text == "error") return LogLevel::kError;
  return InvalidArgument("log level \"" + std::string(text) +
                         "\": unknown; use debug, info, warn or error");
}

void SetLogLevel(LogLevel level) { Logger().set_level(SpdlogLevel(level)); }

void Log(LogLevel level, std::string_view message, std::initializer_list<LogField> fields) {
  spdlog::logger& logger = Logger();
  if (!logger.should_log(SpdlogLevel(level))) return;
  std::string line = R"({"time":")" + Timestamp() + R"(","level":")" +
                     std::string(LevelName(level)) + R"(","message":)" + QuoteJson(message, false);
  for (const LogField& field : fields) {
    line += ",\"" + std::string(field.key.Name()) + "\":" + ValueJson(field.value);
  }
  line += '}';
  logger.log(SpdlogLevel(level), "{}", line);
}

}  // namespace escagent
