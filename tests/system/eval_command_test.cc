#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "base/json.h"
#include "tests/system/process.h"
#include "tests/system/testbed.h"

// `esc-agent eval`, the real program: the examples of docs/eval.md, and what no example shows.

namespace escagent::testing {
namespace {

using nlohmann::json;
using std::chrono::seconds;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr const char* kSecret = "correct-horse";

struct Output {
  int exit_code = -1;
  std::string out;
  std::string err;
};

class EvalCommandTest : public ::testing::Test {
 protected:
  EvalCommandTest() {
    std::string pattern = ::testing::TempDir() + "/eval-XXXXXX";
    folder_ = mkdtemp(pattern.data());
  }
  ~EvalCommandTest() override { std::filesystem::remove_all(folder_); }

  // A file below the folder.
  std::string Write(const std::string& name, std::string_view text) const {
    const std::filesystem::path path = folder_ / name;
    std::filesystem::create_directories(path.parent_path());
    WriteAll(path.string(), text);
    return path.string();
  }

  Output Eval(const std::vector<std::string>& arguments,
              const std::map<std::string, std::string>& environment = {}) {
    std::vector<std::string> command = {ProgramFolder() + "/esc-agent", "eval"};
    command.insert(command.end(), arguments.begin(), arguments.end());
    return Run(command, environment);
  }
  Output Run(const std::vector<std::string>& command,
             const std::map<std::string, std::string>& environment) {
    Process process(command, environment,
                    (folder_ / ("output" + std::to_string(++runs_))).string());
    Output output;
    output.exit_code = process.Wait(seconds(60));
    output.out = process.Out();
    output.err = process.Err();
    return output;
  }

  std::filesystem::path folder_;
  int runs_ = 0;
};

// What the fenced blocks of a page say: files, by their comment in the first line, and the commands
// of consoles with what they print.
struct Page {
  struct Example {
    std::string command;
    std::string printed;
  };
  std::map<std::string, std::string> files;
  std::vector<Example> examples;
};

Page ReadPage(const std::string& path) {
  Page page;
  std::istringstream text(ReadAll(path));
  std::string block;
  std::string file;
  for (std::string line; std::getline(text, line);) {
    if (line.starts_with("```")) {
      block = line.substr(3);
      file.clear();
    } else if (block == "yaml" && file.empty() && line.starts_with("# ")) {
      file = line.substr(2);
      page.files[file] = line + "\n";
    } else if (block == "yaml") {
      page.files[file] += line + "\n";
    } else if (block == "console" && line.starts_with("$ ")) {
      page.examples.push_back({.command = line.substr(2), .printed = ""});
    } else if (block == "console") {
      page.examples.back().printed += line + "\n";
    }
  }
  return page;
}

// All commands in one shell, as a reader types them.
TEST_F(EvalCommandTest, TheExamplesOfThePage) {
  const Page page = ReadPage(SOURCE_FOLDER "/docs/eval.md");
  ASSERT_GE(page.examples.size(), 10u);
  for (const auto& [name, text] : page.files) Write(name, text);
  std::string script = "cd '" + folder_.string() + "' && exec 2>&1\n";
  for (const Page::Example& example : page.examples) script += "echo @@\n" + example.command + "\n";
  const std::string path = ProgramFolder() + ":" + std::getenv("PATH");
  const Output output =
      Run({"/bin/sh", Write("script", script)}, {{"PATH", path}, {"USER", "nobody"}});
  std::istringstream printed(output.out);
  std::string line;
  std::getline(printed, line);
  for (const Page::Example& example : page.examples) {
    std::string actual;
    while (std::getline(printed, line) && line != "@@") actual += line + "\n";
    EXPECT_EQ(actual, example.printed) << "$ " << example.command;
  }
}

TEST_F(EvalCommandTest, NoFormShowsASecretUnlessItIsAskedFor) {
  const std::string file = Write(
      "a.yaml", std::string("values:\n  plain: {fn::secret: ") + kSecret +
                    "}\n  joined: x${plain}\n  json: {fn::toJSON: [\"${plain}\"]}\n"
                    "  list: {fn::split: [\"-\", \"${plain}\"]}\n"
                    "  open: {fn::open::test: {inner: \"${plain}\"}}\n"
                    "  checked: {fn::validate: {schema: {const: other}, value: \"${plain}\"}}\n"
                    "  broken: {fn::fromJSON: \"${plain}\"}\n  missing: ${plain.deeper}\n");
  for (const std::string form :
       {"values", "redacted", "diagnostics", "expressions", "environment", "all"}) {
    for (const std::vector<std::string>& mode :
         std::vector<std::vector<std::string>>{{}, {"--check"}, {"--rotate"}}) {
      std::vector<std::string> arguments = {file, "--output", form};
      arguments.insert(arguments.end(), mode.begin(), mode.end());
      const Output hidden = Eval(arguments);
      EXPECT_EQ(hidden.exit_code, 1) << form;
      EXPECT_NE(hidden.out, "") << form;
      EXPECT_THAT(hidden.out + hidden.err, Not(HasSubstr(kSecret))) << form;
      EXPECT_THAT(hidden.out + hidden.err, Not(HasSubstr("horse"))) << form;
    }
    const Output shown = Eval({file, "--output", form, "--show-secrets"});
    const bool findings_only = form == "redacted" || form == "diagnostics";
    EXPECT_EQ(shown.out.contains(kSecret), !findings_only) << form;
    EXPECT_THAT(shown.err, Not(HasSubstr(kSecret))) << form;
  }
}

TEST_F(EvalCommandTest, WarningsAreNoFailure) {
  Write("team/base.yaml", "values: {region: {fn::final: eu-west-1}}\n");
  const std::string file = Write("a.yaml", "imports: [team/base]\nvalues: {region: us-east-1}\n");
  const Output output = Eval({file});
  EXPECT_EQ(output.exit_code, 0);
  EXPECT_THAT(output.err, HasSubstr("warning: cannot override final value (at values.region"));
  EXPECT_THAT(output.out, HasSubstr("eu-west-1"));
}

TEST_F(EvalCommandTest, ImportsStayInTheirFolder) {
  Write("outside.yaml", "values: {secret: outside}\n");
  Write("team/base.yaml", "values: {region: eu-west-1}\n");
  const std::string file = Write("deep/a.yaml", "imports: [team/base]\n");
  EXPECT_THAT(Eval({file}).err, HasSubstr("environment \"team/base\" not found"));
  EXPECT_THAT(Eval({file, "--imports", folder_.string()}).out, HasSubstr("eu-west-1"));
  const std::string escaping =
      Write("deep/b.yaml", "imports: [../outside, ../../etc/x, a//b, .hidden]\n");
  const Output output = Eval({escaping});
  EXPECT_EQ(output.exit_code, 1);
  EXPECT_THAT(output.err, HasSubstr("import ../outside: not an environment's name"));
  EXPECT_THAT(output.err, HasSubstr("import .hidden: not an environment's name"));
  EXPECT_EQ(output.out, "{}\n");
}

TEST_F(EvalCommandTest, ItsNameIsTheFilesUnlessItIsSaid) {
  const std::string file =
      Write("a.yaml", "values: {me: \"${context.currentEnvironment.name}\"}\n");
  EXPECT_THAT(Eval({file}).out, HasSubstr("\"me\": \"a\""));
  EXPECT_THAT(Eval({file, "--name", "shop/dev"}).out, HasSubstr("\"me\": \"shop/dev\""));
  const std::string cycle = Write("b.yaml", "imports: [shop/dev]\n");
  EXPECT_THAT(Eval({cycle, "--name", "shop/dev"}).err, HasSubstr("cyclic import of shop/dev"));
}

TEST_F(EvalCommandTest, WrongUsageIsTwo) {
  const std::string file = Write("a.yaml", "values: {a: 1}\n");
  for (const std::vector<std::string>& arguments :
       std::vector<std::vector<std::string>>{{},
                                             {file, "--output", "xml"},
                                             {file, "--context", "[1]"},
                                             {file, "--context", "{\"pulumi\":"},
                                             {file, "--check", "--rotate"},
                                             {file, "--check", "--rotate-path", "a"},
                                             {file, "--rotate-path", "a["},
                                             {file, "--no-such-flag"}}) {
    const Output output = Eval(arguments);
    EXPECT_EQ(output.exit_code, 2) << ::testing::PrintToString(arguments);
    EXPECT_EQ(output.out, "") << ::testing::PrintToString(arguments);
    EXPECT_NE(output.err, "") << ::testing::PrintToString(arguments);
  }
  const Output missing = Eval({folder_.string() + "/none.yaml"});
  EXPECT_EQ(missing.exit_code, 1);
  EXPECT_THAT(missing.err, HasSubstr("none.yaml: No such file or directory"));
  EXPECT_EQ(Eval({file, "--provider-files", folder_.string() + "/none"}).exit_code, 0);
}

TEST_F(EvalCommandTest, AllIsOneDocument) {
  const std::string file = Write("a.yaml",
                                 "values:\n  a: {fn::rotate::test: {inputs: {next: {fn::secret: "
                                 "new}}, state: {current: old}}}\n  b: ${none}\n");
  const Output output = Eval({file, "--rotate", "--output", "all"});
  EXPECT_EQ(output.exit_code, 1);
  EXPECT_EQ(output.err, "");
  const auto all = ParseJson(output.out, "the output");
  ASSERT_TRUE(all) << output.out;
  EXPECT_EQ((*all)["redacted"]["b"], "[unknown]");
  EXPECT_EQ((*all)["diagnostics"].size(), 1u);
  EXPECT_EQ((*all)["rotations"][0]["state"]["current"], "[secret]");
  EXPECT_TRUE((*all)["environment"].contains("exprs"));
  EXPECT_FALSE(all->contains("revealed"));
  const auto shown =
      ParseJson(Eval({file, "--rotate", "--output", "all", "--show-secrets"}).out, "the output");
  ASSERT_TRUE(shown);
  EXPECT_EQ((*shown)["revealed"]["a"]["current"], "new");
}

}  // namespace
}  // namespace escagent::testing
