#include "agent/status/report.h"

#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <string_view>
#include <utility>

#include "base/duration.h"
#include "base/version.h"

namespace escagent::status {
namespace {

using nlohmann::json;

double Seconds(std::chrono::nanoseconds duration) {
  return std::chrono::duration<double>(duration).count();
}

json EnvironmentJson(const cache::EnvironmentStatus& environment, Clock::TimePoint now) {
  json out = {
      {"environment", environment.key.ref.ToString()},
      {"backend", environment.key.backend},
      {"subscribers", environment.subscribers},
      {"intervalSeconds", Seconds(environment.interval)},
      {"opened", environment.snapshot != nullptr},
      {"error", environment.last_error ? environment.last_error->ToString() : ""},
  };
  if (environment.snapshot != nullptr) {
    out["openedAt"] = FormatTime(environment.snapshot->opened_at);
  }
  out["revision"] = environment.revision;
  out["expired"] = environment.expired;
  if (environment.next_refresh != Clock::TimePoint::max()) {
    out["nextRefreshSeconds"] = std::max(0.0, Seconds(environment.next_refresh - now));
  }
  if (environment.fresh_at) out["freshSecondsAgo"] = Seconds(now - *environment.fresh_at);
  return out;
}

json VolumeJson(const volume::VolumeStatus& volume) {
  json out = {
      {"volumeId", volume.volume_id},
      {"namespace", volume.pod.namespace_name},
      {"pod", volume.pod.name},
      {"podUid", volume.pod.uid},
      {"serviceAccount", volume.pod.service_account},
      {"targetPath", volume.target},
      {"store", volume.store},
      {"environment", volume.environment},
      {"mountedAt", FormatTime(volume.mounted_at)},
      {"generation", volume.generation},
      {"served", volume.served},
      {"abnormal", volume.abnormal},
      {"condition", volume.condition},
  };
  if (volume.refresh_age) out["freshSecondsAgo"] = Seconds(*volume.refresh_age);
  return out;
}

json MirrorJson(const controller::MirrorStatus& mirror) {
  json shards = json::array();
  for (const controller::ShardStatus& shard : mirror.shards) {
    json row = {{"shard", shard.shard}, {"holder", shard.holder}, {"ours", shard.ours}};
    if (shard.since) row["since"] = FormatTime(*shard.since);
    shards.push_back(std::move(row));
  }
  const controller::ExternalSecretController::Stats& stats = mirror.external_secrets;
  json failures = json::array();
  for (const auto& failure : stats.objects.failures) {
    failures.push_back({{"namespace", failure.key.namespace_name},
                        {"name", failure.key.name},
                        {"error", failure.message}});
  }
  return {{"shards", std::move(shards)},
          {"externalSecrets",
           {{"total", stats.objects.total},
            {"ready", stats.objects.ready},
            {"failed", stats.objects.failed},
            {"waiting", stats.waiting},
            {"failures", std::move(failures)}}},
          {"pushSecrets",
           {{"total", mirror.push_secrets.total}, {"failed", mirror.push_secrets.failed}}}};
}

std::string EscapeHtml(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string Cell(const json& value) {
  if (value.is_null()) return "";
  if (value.is_string()) return EscapeHtml(value.get<std::string>());
  if (value.is_number_float()) {
    return FormatDuration(std::chrono::seconds(std::llround(value.get<double>())));
  }
  return EscapeHtml(value.dump());
}

using Columns = std::initializer_list<std::pair<const char*, const char*>>;

std::string Table(const json& rows, Columns columns) {
  if (rows.empty()) return "<p>none</p>\n";
  std::string out = "<table>\n<tr>";
  for (const auto& [title, key] : columns) out += "<th>" + std::string(title) + "</th>";
  out += "</tr>\n";
  for (const json& row : rows) {
    const bool bad = row.value("abnormal", false) || !row.value("error", "").empty();
    out += bad ? "<tr class=\"bad\">" : "<tr>";
    for (const auto& [title, key] : columns) {
      out += "<td>" + Cell(row.contains(key) ? row[key] : json()) + "</td>";
    }
    out += "</tr>\n";
  }
  return out + "</table>\n";
}

constexpr std::string_view kStyle =
    "body{font:14px/1.5 "
    "system-ui,sans-serif;margin:2rem;overflow-x:auto;color:#1c1c28;background:#fff}"
    "h1{font-size:1.4rem}h2{font-size:1.1rem;margin-top:2rem}"
    "table{border-collapse:collapse;width:100%}"
    "th,td{text-align:left;padding:.35rem .75rem;border-bottom:1px solid #e3e3ea;"
    "vertical-align:top;white-space:nowrap}"
    "td:last-child{white-space:normal;overflow-wrap:anywhere;min-width:20rem}"
    "th{color:#5b5b70;font-weight:600}tr.bad td{background:#fdecea}"
    "@media(prefers-color-scheme:dark){body{color:#e8e8f0;background:#16161d}"
    "th,td{border-color:#33333f}th{color:#a0a0b4}tr.bad td{background:#4a1f1c}}";

std::string MirrorHtml(const json& mirror) {
  const json& objects = mirror["externalSecrets"];
  return "<h2>Mirror</h2>\n<p>ExternalSecrets of this agent's shards: " + Cell(objects["total"]) +
         ", ready " + Cell(objects["ready"]) + ", failed " + Cell(objects["failed"]) +
         ", waiting " + Cell(objects["waiting"]) + ".</p>\n" +
         Table(objects["failures"],
               {{"Namespace", "namespace"}, {"ExternalSecret", "name"}, {"Error", "error"}}) +
         "<h2>Shards</h2>\n" +
         Table(mirror["shards"], {{"Shard", "shard"}, {"Since", "since"}, {"Holder", "holder"}});
}

std::string KeeperText(const Report& report) {
  if (!report.keeper_connected) return "";
  return *report.keeper_connected ? ", with its keeper" : ", its keeper is away";
}

}  // namespace

json ToJson(const Report& report) {
  json environments = json::array();
  for (const auto& environment : report.environments) {
    environments.push_back(EnvironmentJson(environment, report.now));
  }
  json volumes = json::array();
  for (const auto& volume : report.volumes) volumes.push_back(VolumeJson(volume));
  json agent = {{"version", kVersion},
                {"node", report.node},
                {"driver", report.driver},
                {"registered", report.registered},
                {"startedAt", FormatTime(report.started_at)}};
  if (report.keeper_connected) agent["keeperConnected"] = *report.keeper_connected;
  json out = {
      {"agent", std::move(agent)},
      {"environments", std::move(environments)},
      {"volumes", std::move(volumes)},
  };
  if (report.mirror) out["mirror"] = MirrorJson(*report.mirror);
  return out;
}

std::string ToHtml(const Report& report) {
  const json data = ToJson(report);
  const json& agent = data["agent"];
  std::string out =
      "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
      "<meta name=\"viewport\" content=\"width=device-width\"><title>esc-agent on " +
      EscapeHtml(report.node) + "</title><style>" + std::string(kStyle) +
      "</style></head><body>\n<h1>esc-agent on " + EscapeHtml(report.node) + "</h1>\n<p>Version " +
      Cell(agent["version"]) + ", driver " + Cell(agent["driver"]) + ", " +
      (report.registered ? "registered with kubelet" : "not registered with kubelet") +
      KeeperText(report) + ", running since " + Cell(agent["startedAt"]) + ".</p>\n";
  out += "<h2>Environments</h2>\n" +
         Table(data["environments"], {{"Environment", "environment"},
                                      {"Backend", "backend"},
                                      {"Revision", "revision"},
                                      {"Age", "freshSecondsAgo"},
                                      {"Next look in", "nextRefreshSeconds"},
                                      {"Users", "subscribers"},
                                      {"Error", "error"}});
  out += "<h2>Volumes</h2>\n" + Table(data["volumes"], {{"Namespace", "namespace"},
                                                        {"Pod", "pod"},
                                                        {"Store", "store"},
                                                        {"Environment", "environment"},
                                                        {"Generation", "generation"},
                                                        {"Mounted at", "mountedAt"},
                                                        {"Condition", "condition"}});
  if (data.contains("mirror")) out += MirrorHtml(data["mirror"]);
  return out + "</body></html>\n";
}

}  // namespace escagent::status
