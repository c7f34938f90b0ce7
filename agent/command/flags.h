#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace CLI {
class App;
}

namespace escagent::command {

// One flag of a command.
struct Flag {
  std::string name;  // without "--"
  std::string help;
  std::string fallback;  // the value when nobody sets it; may be empty
  // Environment variables that set it too, besides ESC_AGENT_<NAME>.
  std::vector<std::string> environment = {};
  bool is_switch = false;  // --name alone means true
};

// The flags of a command and their values. A value comes from, in this order: the command line,
// ESC_AGENT_<NAME>, the other environment variables named by the flag, the YAML file of --config
// (a flat mapping of flag names), the fallback.
//
// The typed getters collect what is wrong instead of stopping at the first fault, so that a user
// sees all of it at once. Not thread-safe.
class FlagSet {
 public:
  // Adds the flags, and --config, to `app`, which must outlive this object.
  FlagSet(CLI::App& app, std::vector<Flag> flags);
  FlagSet(const FlagSet&) = delete;
  FlagSet& operator=(const FlagSet&) = delete;

  // After parsing: reads the environment and the file of --config.
  void Resolve();

  const std::string& Text(std::string_view name) const;
  bool Has(std::string_view name) const { return !Text(name).empty(); }
  // Whether somebody set the flag (it is not its fallback).
  bool IsSet(std::string_view name) const;

  bool Switch(std::string_view name);
  std::chrono::milliseconds Duration(std::string_view name, std::chrono::milliseconds at_least);
  // The flag's text if it is one of `allowed`.
  std::string OneOf(std::string_view name, const std::vector<std::string_view>& allowed);
  // An absolute path, cleaned of a trailing slash. Empty stays empty.
  std::string AbsolutePath(std::string_view name);

  void AddError(std::string message) { errors_.push_back(std::move(message)); }
  const std::vector<std::string>& errors() const { return errors_; }

 private:
  struct Entry {
    Flag flag;
    std::string from_command_line;
    bool switch_seen = false;
    std::string value;
    bool is_set = false;
  };

  void ReadConfig(const std::string& path, std::map<std::string, std::string>& values);
  const Entry& Find(std::string_view name) const;

  // Stable addresses: CLI11 keeps pointers into the entries.
  std::vector<std::unique_ptr<Entry>> entries_;
  std::string config_;
  std::vector<std::string> errors_;
};

}  // namespace escagent::command
