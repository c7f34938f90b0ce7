#include "agent/command/flags.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "tests/unit/command/scoped_variable.h"

namespace escagent::command {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::ScopedVariable;

class FlagsTest : public ::testing::Test {
 protected:
  FlagsTest()
      : app_("test"),
        flags_(app_, {{.name = "node-name", .help = "", .fallback = "", .environment = {"NODE_X"}},
                      {.name = "interval", .help = "", .fallback = "10s"},
                      {.name = "plain", .help = "", .fallback = "false", .is_switch = true}}) {}

  void Parse(std::vector<std::string> arguments) {
    // CLI11 takes them in reverse.
    std::vector<std::string> reversed(arguments.rbegin(), arguments.rend());
    app_.parse(reversed);
    flags_.Resolve();
  }

  std::string WriteConfig(const std::string& yaml) {
    path_ = ::testing::TempDir() + "flags-" + std::to_string(getpid()) + ".yaml";
    std::ofstream(path_) << yaml;
    return path_;
  }

  ~FlagsTest() override {
    if (!path_.empty()) std::filesystem::remove(path_);
  }

  CLI::App app_;
  FlagSet flags_;
  std::string path_;
};

TEST_F(FlagsTest, FallbackIsNotSet) {
  Parse({});
  EXPECT_EQ(flags_.Text("interval"), "10s");
  EXPECT_FALSE(flags_.IsSet("interval"));
  EXPECT_FALSE(flags_.Has("node-name"));
}

TEST_F(FlagsTest, CommandLineWinsOverVariableWinsOverFile) {
  const std::string config = WriteConfig("node-name: file\ninterval: 1s\nplain: true\n");
  const ScopedVariable variable("ESC_AGENT_NODE_NAME", "variable");
  Parse({"--config", config});
  EXPECT_EQ(flags_.Text("node-name"), "variable");
  EXPECT_EQ(flags_.Text("interval"), "1s");
  EXPECT_TRUE(flags_.Switch("plain"));
  EXPECT_TRUE(flags_.IsSet("interval"));
  Parse({"--config", config, "--node-name", "line"});
  EXPECT_EQ(flags_.Text("node-name"), "line");
}

TEST_F(FlagsTest, FurtherVariablesCountAfterOurs) {
  const ScopedVariable other("NODE_X", "other");
  Parse({});
  EXPECT_EQ(flags_.Text("node-name"), "other");
  const ScopedVariable ours("ESC_AGENT_NODE_NAME", "ours");
  Parse({});
  EXPECT_EQ(flags_.Text("node-name"), "ours");
}

TEST_F(FlagsTest, ConfigFileIsNamedByAVariableToo) {
  const ScopedVariable config("ESC_AGENT_CONFIG", WriteConfig("interval: 3s\n").c_str());
  Parse({});
  EXPECT_EQ(flags_.Text("interval"), "3s");
}

TEST_F(FlagsTest, EverythingWrongIsCollected) {
  Parse({"--config", WriteConfig("intervall: 1s\nnode-name: [a]\n"), "--interval", "soon"});
  flags_.Duration("interval", seconds(1));
  EXPECT_THAT(flags_.errors(), ElementsAre(HasSubstr("did you mean \"interval\""),
                                           HasSubstr("\"node-name\" must be a plain value"),
                                           HasSubstr("--interval")));
}

TEST_F(FlagsTest, ConfigThatIsNoMappingOrNotThereIsAnError) {
  Parse({"--config", WriteConfig("- a\n")});
  EXPECT_THAT(flags_.errors(), ElementsAre(HasSubstr("must be a mapping")));
}

TEST_F(FlagsTest, MissingConfigIsAnError) {
  Parse({"--config", "/nowhere/config.yaml"});
  EXPECT_THAT(flags_.errors(), ElementsAre(HasSubstr("/nowhere/config.yaml")));
}

TEST_F(FlagsTest, DurationsHaveALowerBound) {
  Parse({"--interval", "200ms"});
  EXPECT_EQ(flags_.Duration("interval", milliseconds(100)), milliseconds(200));
  EXPECT_THAT(flags_.errors(), IsEmpty());
  flags_.Duration("interval", seconds(1));
  EXPECT_THAT(flags_.errors(), ElementsAre(HasSubstr("at least 1s")));
}

TEST_F(FlagsTest, OneOfNamesWhatIsAllowed) {
  Parse({"--node-name", "maybe"});
  flags_.OneOf("node-name", {"auto", "on", "off"});
  EXPECT_THAT(flags_.errors(), ElementsAre(HasSubstr("auto, on, off")));
}

TEST_F(FlagsTest, AbsolutePathsLoseATrailingSlash) {
  Parse({"--node-name", "/var/lib/kubelet//"});
  EXPECT_EQ(flags_.AbsolutePath("node-name"), "/var/lib/kubelet");
  Parse({"--node-name", "kubelet"});
  flags_.AbsolutePath("node-name");
  EXPECT_THAT(flags_.errors(), ElementsAre(HasSubstr("must be an absolute path")));
}

TEST_F(FlagsTest, ASwitchMustBeTrueOrFalse) {
  Parse({"--config", WriteConfig("plain: maybe\n")});
  EXPECT_FALSE(flags_.Switch("plain"));
  EXPECT_THAT(flags_.errors(), ElementsAre(HasSubstr("neither true nor false")));
}

}  // namespace
}  // namespace escagent::command
