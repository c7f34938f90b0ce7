#include "agent/command/flags.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdlib>
#include <utility>

#include "base/duration.h"
#include "base/file.h"
#include "base/strings.h"
#include "base/yaml.h"

namespace escagent::command {
namespace {

std::string EnvironmentName(const std::string& flag) {
  std::string name = "ESC_AGENT_" + flag;
  for (char& c : name) {
    if (c == '-') {
      c = '_';
    } else if (c >= 'a' && c <= 'z') {
      c = static_cast<char>(c - 'a' + 'A');
    }
  }
  return name;
}

std::optional<std::string> FromEnvironment(const Flag& flag) {
  std::vector<std::string> names = {EnvironmentName(flag.name)};
  names.insert(names.end(), flag.environment.begin(), flag.environment.end());
  for (const std::string& name : names) {
    if (const char* value = std::getenv(name.c_str()); value != nullptr && *value != '\0') {
      return value;
    }
  }
  return std::nullopt;
}

std::string HelpText(const Flag& flag) {
  std::string help = flag.help + " [$" + EnvironmentName(flag.name);
  for (const std::string& name : flag.environment) help += ", $" + name;
  help += "]";
  if (!flag.fallback.empty()) help += " (default: " + flag.fallback + ")";
  return help;
}

}  // namespace

FlagSet::FlagSet(CLI::App& app, std::vector<Flag> flags) {
  for (Flag& flag : flags) {
    auto entry = std::make_unique<Entry>();
    entry->flag = std::move(flag);
    if (entry->flag.is_switch) {
      app.add_flag("--" + entry->flag.name, entry->switch_seen, HelpText(entry->flag));
    } else {
      app.add_option("--" + entry->flag.name, entry->from_command_line, HelpText(entry->flag))
          ->type_name("");
    }
    entries_.push_back(std::move(entry));
  }
  app.add_option("--config", config_,
                 "YAML file with flags as keys; a flag or variable wins over it "
                 "[$ESC_AGENT_CONFIG]")
      ->type_name("FILE");
}

void FlagSet::Resolve() {
  if (config_.empty()) {
    if (const char* path = std::getenv("ESC_AGENT_CONFIG"); path != nullptr) config_ = path;
  }
  std::map<std::string, std::string> from_file;
  if (!config_.empty()) ReadConfig(config_, from_file);
  for (const auto& entry : entries_) {
    const auto file = from_file.find(entry->flag.name);
    entry->is_set = true;
    if (entry->switch_seen) {
      entry->value = "true";
    } else if (!entry->from_command_line.empty()) {
      entry->value = entry->from_command_line;
    } else if (const auto value = FromEnvironment(entry->flag); value.has_value()) {
      entry->value = *value;
    } else if (file != from_file.end()) {
      entry->value = file->second;
    } else {
      entry->value = entry->flag.fallback;
      entry->is_set = false;
    }
  }
}

void FlagSet::ReadConfig(const std::string& path, std::map<std::string, std::string>& values) {
  const Result<Secret> text = ReadFile(path);
  if (!text) return AddError("--config: " + text.error().message);
  const Result<YAML::Node> document = ParseYaml(text->Reveal(), path);
  if (!document) return AddError("--config: " + document.error().message);
  if (document->IsNull()) return;
  if (!document->IsMap())
    return AddError("--config: " + path + ": must be a mapping of flag names");
  std::vector<std::string_view> known;
  for (const auto& entry : entries_) known.push_back(entry->flag.name);
  for (const auto& member : *document) {
    const std::string& key = member.first.Scalar();
    if (std::find(known.begin(), known.end(), key) == known.end()) {
      const auto nearest = Nearest(key, known);
      AddError("--config: " + path + ": unknown key \"" + key + "\"" +
               (nearest ? "; did you mean \"" + std::string(*nearest) + "\"?" : ""));
    } else if (!member.second.IsScalar()) {
      AddError("--config: " + path + ": key \"" + key + "\" must be a plain value");
    } else {
      values[key] = member.second.Scalar();
    }
  }
}

const FlagSet::Entry& FlagSet::Find(std::string_view name) const {
  for (const auto& entry : entries_) {
    if (entry->flag.name == name) return *entry;
  }
  std::abort();  // a typing mistake in this program
}

const std::string& FlagSet::Text(std::string_view name) const { return Find(name).value; }

bool FlagSet::IsSet(std::string_view name) const { return Find(name).is_set; }

bool FlagSet::Switch(std::string_view name) {
  const std::string& text = Text(name);
  if (text == "true") return true;
  if (!text.empty() && text != "false") {
    AddError("--" + std::string(name) + ": \"" + text + "\" is neither true nor false");
  }
  return false;
}

std::chrono::milliseconds FlagSet::Duration(std::string_view name,
                                            std::chrono::milliseconds at_least) {
  const auto duration = ParseDuration(Text(name), "--" + std::string(name));
  if (!duration) {
    AddError(duration.error().message);
    return at_least;
  }
  if (*duration < at_least) {
    AddError("--" + std::string(name) + ": " + Text(name) + " is too short; use at least " +
             FormatDuration(at_least));
  }
  return *duration;
}

std::string FlagSet::OneOf(std::string_view name, const std::vector<std::string_view>& allowed) {
  const std::string& text = Text(name);
  if (std::find(allowed.begin(), allowed.end(), text) == allowed.end()) {
    AddError("--" + std::string(name) + ": \"" + text + "\" is not one of " + Join(allowed, ", "));
  }
  return text;
}

std::string FlagSet::AbsolutePath(std::string_view name) {
  std::string text = Text(name);
  if (text.empty()) return text;
  if (text.front() != '/') {
    AddError("--" + std::string(name) + ": \"" + text + "\" must be an absolute path");
  }
  while (text.size() > 1 && text.back() == '/') text.pop_back();
  return text;
}

}  // namespace escagent::command
