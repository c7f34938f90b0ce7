#include "esc/devserver/faults.h"

#include <utility>

#include "base/duration.h"

namespace escagent::devserver {
namespace {

using nlohmann::json;

bool Applies(const Fault& fault, std::string_view route, std::string_view environment) {
  if (!fault.environment.empty() && fault.environment != environment) return false;
  if (fault.route == "*" || fault.route == route) return true;
  const std::size_t space = route.find(' ');
  return space != std::string_view::npos && fault.route == route.substr(space + 1);
}

void Combine(const Fault& fault, Fault& into) {
  into.delay += fault.delay;
  into.hang |= fault.hang;
  into.truncate |= fault.truncate;
  into.old_server |= fault.old_server;
  if (into.status == 0 && fault.status != 0) {
    into.status = fault.status;
    into.message = fault.message;
    into.retry_after = fault.retry_after;
  }
}

std::unexpected<Error> Bad(const std::string& member, std::string_view expected) {
  return InvalidArgument("read fault: \"" + member + "\" must be " + std::string(expected));
}

Status ReadDelay(const json& value, Fault& fault) {
  if (value.is_number_integer() && value.get<std::int64_t>() >= 0) {
    fault.delay = std::chrono::milliseconds(value.get<std::int64_t>());
  } else if (value.is_string()) {
    ESC_ASSIGN_OR_RETURN(fault.delay, ParseDuration(value.get<std::string>(), "delay"));
  } else {
    return Bad("delay", "a duration (\"250ms\") or a number of milliseconds");
  }
  return {};
}

Status ReadSwitch(const std::string& name, const json& value, bool& out) {
  if (!value.is_boolean()) return Bad(name, "true or false");
  out = value.get<bool>();
  return {};
}

Status ReadText(const std::string& name, const json& value, std::string& out) {
  if (!value.is_string()) return Bad(name, "a string");
  out = value.get<std::string>();
  return {};
}

Status ReadFaultMember(const std::string& name, const json& value, Fault& fault) {
  if (name == "route") return ReadText(name, value, fault.route);
  if (name == "environment") return ReadText(name, value, fault.environment);
  if (name == "message") return ReadText(name, value, fault.message);
  if (name == "hang") return ReadSwitch(name, value, fault.hang);
  if (name == "truncate") return ReadSwitch(name, value, fault.truncate);
  if (name == "oldServer") return ReadSwitch(name, value, fault.old_server);
  if (name == "delay") return ReadDelay(value, fault);
  if (name == "status") {
    const std::int64_t status = value.is_number_integer() ? value.get<std::int64_t>() : -1;
    if (status != 0 && (status < 200 || status > 599)) return Bad(name, "0 or a status 200..599");
    fault.status = static_cast<int>(status);
    return {};
  }
  if (name == "retryAfter") {
    const std::int64_t seconds = value.is_number_integer() ? value.get<std::int64_t>() : -1;
    if (seconds < 0) return Bad(name, "a number of seconds");
    fault.retry_after = std::chrono::seconds(seconds);
    return {};
  }
  if (name == "times") {
    if (!value.is_number_integer()) return Bad(name, "a number of requests");
    fault.times = value.get<std::int64_t>();
    return {};
  }
  return InvalidArgument("read fault: unknown member \"" + name +
                         "\"; known are route, environment, status, message, retryAfter, delay, "
                         "hang, truncate, oldServer and times");
}

json FaultToJson(const Fault& fault) {
  json document = {{"route", fault.route},
                   {"environment", fault.environment},
                   {"status", fault.status},
                   {"message", fault.message},
                   {"delay", FormatDuration(fault.delay)},
                   {"hang", fault.hang},
                   {"truncate", fault.truncate},
                   {"oldServer", fault.old_server},
                   {"times", fault.times}};
  if (fault.retry_after) document["retryAfter"] = fault.retry_after->count();
  return document;
}

}  // namespace

void Faults::Add(Fault fault) {
  MutexLock lock(mutex_);
  if (fault.times != 0) faults_.push_back(std::move(fault));
}

void Faults::Clear() {
  MutexLock lock(mutex_);
  faults_.clear();
}

Fault Faults::Take(std::string_view route, std::string_view environment) {
  Fault taken;
  MutexLock lock(mutex_);
  std::erase_if(faults_, [&](Fault& fault) {
    if (!Applies(fault, route, environment)) return false;
    Combine(fault, taken);
    return fault.times > 0 && --fault.times == 0;
  });
  return taken;
}

Result<std::vector<Fault>> Faults::FromJson(const json& document) {
  const json list = document.is_array() ? document : json::array({document});
  std::vector<Fault> faults;
  for (const json& item : list) {
    if (!item.is_object()) return InvalidArgument("read fault: it must be an object");
    Fault fault;
    for (const auto& [name, value] : item.items()) {
      ESC_RETURN_IF_ERROR(ReadFaultMember(name, value, fault));
    }
    faults.push_back(std::move(fault));
  }
  return faults;
}

json Faults::ToJson() const {
  MutexLock lock(mutex_);
  json list = json::array();
  for (const Fault& fault : faults_) list.push_back(FaultToJson(fault));
  return list;
}

}  // namespace escagent::devserver
