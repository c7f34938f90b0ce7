#include "agent/status/status_page.h"

#include <algorithm>
#include <string_view>
#include <vector>

#include "agent/status/freshness_plot.h"
#include "agent/status/html.h"
#include "agent/status/page_style.h"
#include "base/duration.h"
#include "base/version.h"

namespace escagent::status {
namespace {

// What a person still scrolls through; `esc-agent status` has the rest.
constexpr std::size_t kMaxRows = 200;

std::string Ago(Clock::TimePoint now, const std::optional<Clock::TimePoint>& then) {
  if (!then) return "never";
  const auto passed = std::chrono::duration_cast<std::chrono::seconds>(now - *then);
  return FormatDuration(std::max(passed, std::chrono::seconds(0)));
}

std::string NameOf(const volume::VolumeStatus& volume) {
  return volume.pod.namespace_name + "/" + volume.pod.name;
}

// What is wrong, each as "what: why".
std::vector<std::string> Troubles(const Report& report) {
  std::vector<std::string> troubles;
  if (!report.registered) {
    troubles.emplace_back(
        "kubelet has not registered the driver: no pod of this node can mount a volume");
  }
  if (report.keeper_connected && !*report.keeper_connected) {
    troubles.emplace_back(
        "esc-keeper is away: mounted volumes are served, but none can be mounted");
  }
  for (const cache::EnvironmentStatus& environment : report.environments) {
    if (!environment.last_error) continue;
    troubles.push_back("environment " + environment.key.ref.ToString() + ": " +
                       environment.last_error->ToString());
  }
  for (const volume::VolumeStatus& volume : report.volumes) {
    if (volume.abnormal)
      troubles.push_back("volume of " + NameOf(volume) + ": " + volume.condition);
  }
  if (report.mirror) {
    for (const auto& failure : report.mirror->external_secrets.objects.failures) {
      troubles.push_back("ExternalSecret " + failure.key.namespace_name + "/" + failure.key.name +
                         ": " + failure.message);
    }
  }
  return troubles;
}

std::string Attention(const std::vector<std::string>& troubles) {
  if (troubles.empty()) return "";
  std::string out = "<h2>Needs attention</h2>\n<ul class=\"bad\">\n";
  for (std::size_t i = 0; i < std::min(troubles.size(), kMaxRows); ++i) {
    out += "<li>" + EscapeHtml(troubles[i]) + "</li>\n";
  }
  return out + "</ul>\n" + MoreRows(troubles.size(), kMaxRows);
}

std::string Tile(std::string_view title, const std::string& number, const std::string& note) {
  return "<div><b>" + EscapeHtml(number) + "</b><span>" + EscapeHtml(title) + "</span><small>" +
         EscapeHtml(note) + "</small></div>\n";
}

std::string BadOf(std::size_t bad, std::string_view word) {
  return bad == 0 ? "all well" : std::to_string(bad) + " " + std::string(word);
}

std::string Tiles(const Report& report) {
  const auto failing = std::ranges::count_if(report.environments, [](const auto& environment) {
    return environment.last_error.has_value();
  });
  const auto abnormal =
      std::ranges::count_if(report.volumes, [](const auto& volume) { return volume.abnormal; });
  std::string out = "<div class=\"tiles\">\n" +
                    Tile("volumes", std::to_string(report.volumes.size()),
                         BadOf(static_cast<std::size_t>(abnormal), "abnormal")) +
                    Tile("environments", std::to_string(report.environments.size()),
                         BadOf(static_cast<std::size_t>(failing), "failing"));
  std::optional<Clock::TimePoint> oldest;
  for (const auto& environment : report.environments) {
    if (!environment.fresh_at) continue;
    oldest = std::min(oldest.value_or(*environment.fresh_at), *environment.fresh_at);
  }
  if (oldest)
    out += Tile("since the oldest values were known to be current", Ago(report.now, oldest),
                "of all environments");
  if (report.mirror) {
    const auto& objects = report.mirror->external_secrets.objects;
    const auto ours =
        std::ranges::count_if(report.mirror->shards, [](const auto& shard) { return shard.ours; });
    out += Tile("ExternalSecrets", std::to_string(objects.total), BadOf(objects.failed, "failed")) +
           Tile("shards held here",
                std::to_string(ours) + "/" + std::to_string(report.mirror->shards.size()),
                std::to_string(report.mirror->external_secrets.waiting) + " in the queue");
  }
  return out + "</div>\n";
}

std::string Environments(const Report& report, const FreshnessHours& hours) {
  Table table({"Environment", "Last hour", "Age", "Next look in", "Revision", "Users", "Error"});
  for (const cache::EnvironmentStatus& environment : report.environments) {
    const auto hour = hours.find(environment.key);
    const bool known = environment.next_refresh != Clock::TimePoint::max();
    table.Add(environment.last_error ? Row::kBad : Row::kGood,
              {EscapeHtml(environment.key.ref.ToString()) + "<small>" +
                   EscapeHtml(environment.key.backend) + "</small>",
               hour == hours.end() ? "" : FreshnessStrip(hour->second),
               Ago(report.now, environment.fresh_at) +
                   (environment.expired ? " (too old for new pods)" : ""),
               known ? Ago(environment.next_refresh, report.now) : "",
               EscapeHtml(environment.revision), std::to_string(environment.subscribers),
               environment.last_error ? EscapeHtml(environment.last_error->ToString()) : ""});
  }
  return "<h2>Environments</h2>\n" + table.ToHtml(kMaxRows);
}

std::string Volumes(const Report& report) {
  Table table({"Pod", "Environment", "Store", "Age", "Generation", "Mounted at", "Condition"});
  for (const volume::VolumeStatus& volume : report.volumes) {
    table.Add(volume.abnormal ? Row::kBad : Row::kGood,
              {EscapeHtml(NameOf(volume)), EscapeHtml(volume.environment), EscapeHtml(volume.store),
               volume.refresh_age
                   ? FormatDuration(std::chrono::floor<std::chrono::seconds>(*volume.refresh_age))
                   : "",
               std::to_string(volume.generation), FormatTime(volume.mounted_at),
               EscapeHtml(volume.condition)});
  }
  return "<h2>Volumes</h2>\n" + table.ToHtml(kMaxRows);
}

std::string Mirror(const controller::MirrorStatus& mirror) {
  const auto& stats = mirror.external_secrets;
  std::string out = "<h2>Mirror</h2>\n<p>ExternalSecrets of this agent's shards: " +
                    std::to_string(stats.objects.total) + ", ready " +
                    std::to_string(stats.objects.ready) + ", failed " +
                    std::to_string(stats.objects.failed) + ", waiting " +
                    std::to_string(stats.waiting) +
                    ". PushSecrets: " + std::to_string(mirror.push_secrets.total) + ", failed " +
                    std::to_string(mirror.push_secrets.failed) + ".</p>\n";
  Table shards({"Shard", "Holder", "Since"});
  for (const controller::ShardStatus& shard : mirror.shards) {
    shards.Add(
        shard.holder.empty() ? Row::kBad : Row::kGood,
        {std::to_string(shard.shard),
         shard.holder.empty() ? "nobody" : EscapeHtml(shard.holder) + (shard.ours ? " (this)" : ""),
         shard.since ? FormatTime(*shard.since) : ""});
  }
  return out + shards.ToHtml(kMaxRows);
}

std::string Head(const Report& report, std::size_t troubles) {
  const std::string node = EscapeHtml(report.node);
  std::string out =
      "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
      "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">"
      "<meta http-equiv=\"refresh\" content=\"10\"><title>" +
      std::string(troubles == 0 ? "" : "(" + std::to_string(troubles) + ") ") + "esc-agent on " +
      node + "</title><style>" + std::string(kPageStyle) +
      "</style></head><body>\n<header><h1>esc-agent on " + node + "</h1>";
  out += troubles == 0 ? "<p class=\"pill good\">all is well</p>"
                       : "<p class=\"pill bad\">" + std::to_string(troubles) +
                             (troubles == 1 ? " thing needs" : " things need") + " attention</p>";
  out += "</header>\n<p>Version " + std::string(kVersion) + ", driver " +
         EscapeHtml(report.driver) + ", " +
         (report.registered ? "registered with kubelet" : "not registered with kubelet");
  if (report.keeper_connected) {
    out += *report.keeper_connected ? ", with its keeper" : ", its keeper is away";
  }
  return out + ", running since " + FormatTime(report.started_at) + ".</p>\n";
}

}  // namespace

std::string StatusPage(const Report& report, const FreshnessHours& hours) {
  const std::vector<std::string> troubles = Troubles(report);
  std::string out = Head(report, troubles.size()) + Tiles(report) + Attention(troubles) +
                    "<h2>Freshness</h2>\n" + FreshnessPlot(hours) + Environments(report, hours) +
                    Volumes(report);
  if (report.mirror) out += Mirror(*report.mirror);
  return out + "</body></html>\n";
}

}  // namespace escagent::status
