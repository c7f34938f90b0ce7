#include "esc/eval/provider.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

#include "esc/eval/env_provider.h"
#include "esc/eval/exec_provider.h"
#include "esc/eval/file_provider.h"
#include "esc/eval/local_providers.h"
#include "tests/unit/eval/evaluate_in_test.h"
#include "tests/unit/eval/test_providers.h"

namespace escagent::eval {
namespace {

EvalResult EvaluateWith(const ProviderRegistry& providers, std::string_view definition,
                        EvalMode mode = EvalMode::kOpen) {
  EvalOptions options;
  options.environment = "demo/root";
  options.providers = &providers;
  options.mode = mode;
  return Evaluate(definition, options);
}

TEST(OpenTest, GivesWhatTheProviderGives) {
  const EvalResult result = EvaluateWith(TestProviders(),
                                         "values:\n  a: {fn::open::test: {x: 1, s: '${t}'}}\n"
                                         "  b: {fn::open: {provider: test, inputs: '${a}'}}\n"
                                         "  c: ${b.x}\n  t: {fn::secret: hunter2}\n");
  EXPECT_EQ(Findings(result), "");
  EXPECT_EQ(Redacted(result),
            R"({"a":{"s":"[secret]","x":1},"b":{"s":"[secret]","x":1},"c":1,"t":"[secret]"})");
}

TEST(OpenTest, InputsMustFitTheSchema) {
  const EvalResult result = EvaluateWith(
      TestProviders(), "values:\n  a: {fn::open::error: {wy: 1}}\n  b: {fn::open::test: text}\n");
  EXPECT_EQ(Findings(result),
            "2:24 values.a[\"fn::open::error\"] missing required properties: why\n"
            "3:6 values.b the inputs of a provider must be an object");
}

TEST(OpenTest, AFailureIsFoundAtTheCall) {
  const EvalResult result = EvaluateWith(
      TestProviders(), "values:\n  a: {fn::open::error: {why: no luck}}\n  b: ${a.x}\n");
  EXPECT_EQ(Findings(result), "2:6 values.a no luck");
  EXPECT_EQ(Revealed(result), R"({"a":"[unknown]","b":"[unknown]"})");
}

TEST(CheckTest, OpensNothing) {
  const EvalResult result =
      EvaluateWith(TestProviders(),
                   "values:\n  a: {fn::open::error: {why: never}}\n  b: 'x ${a.y}'\n"
                   "  c: {fn::toJSON: '${a}'}\n  d: plain\n",
                   EvalMode::kCheck);
  EXPECT_EQ(Findings(result), "");
  EXPECT_EQ(Revealed(result), R"({"a":"[unknown]","b":"[unknown]","c":"[unknown]","d":"plain"})");
}

TEST(CheckTest, KnowsTheSchemaOfWhatIsUnknown) {
  const EvalResult result =
      EvaluateWith(TestProviders(),
                   "values:\n  a: {fn::open::schema: {hello: hello}}\n  b: ${a.tuple[2]}\n"
                   "  c: ${a.string.x}\n  d: {fn::join: ['${a.number}', []]}\n",
                   EvalMode::kCheck);
  EXPECT_EQ(Findings(result),
            "3:15 values.b array index 2 out-of-bounds for array of length 2\n"
            "4:16 values.c receiver must be an array or an object\n"
            "5:18 values.d[\"fn::join\"][0] expected string, got number");
}

class RotateTest : public testing::Test {
 protected:
  EvalResult Rotate(std::string_view definition, std::vector<std::string> paths = {}) {
    EvalOptions options;
    options.environment = "demo/root";
    options.providers = &TestProviders();
    options.mode = EvalMode::kRotate;
    for (const std::string& path : paths) {
      options.rotate_paths.push_back(*esc::PropertyPath::Parse(path));
    }
    return Evaluate(definition, options);
  }
};

constexpr const char* kTwoRotators =
    "values:\n"
    "  a: {fn::rotate::swap: {inputs: {}, state: {a: x, b: {fn::secret: y}}}}\n"
    "  b: {fn::rotate: {provider: swap, inputs: {}, state: {a: p, b: q}}}\n";

TEST_F(RotateTest, TheStateIsReplacedAndToBeWrittenBack) {
  const EvalResult result = Rotate(kTwoRotators);
  EXPECT_EQ(Findings(result), "");
  EXPECT_EQ(Redacted(result), R"({"a":{"a":"[secret]","b":"x"},"b":{"a":"q","b":"p"}})");
  ASSERT_EQ(result.rotations.size(), 2u);
  const Rotation& first = result.rotations[0];
  EXPECT_EQ(first.status, Rotation::Status::kSucceeded);
  EXPECT_EQ(first.path, "values.a");
  EXPECT_EQ(first.patch_path, "values.a[\"fn::rotate::swap\"].state");
  EvalResult written;
  written.properties = ToDefinition(first.state);
  EXPECT_EQ(Revealed(written), R"({"a":{"fn::secret":"y"},"b":"x"})");
}

TEST_F(RotateTest, OnlyThePathsThatWereAskedForRotate) {
  const EvalResult result = Rotate(kTwoRotators, {"b"});
  EXPECT_EQ(Redacted(result), R"({"a":{"a":"x","b":"[secret]"},"b":{"a":"q","b":"p"}})");
  ASSERT_EQ(result.rotations.size(), 1u);
  EXPECT_EQ(result.rotations[0].path, "values.b");
}

TEST_F(RotateTest, OpeningDoesNotRotateNorLookAtWhatIsForRotation) {
  const std::string definition =
      "values:\n  a: {fn::rotate::echo: {inputs: {next: '${environments.no.where}'}, state: "
      "{current: c}}}\n";
  const EvalResult open = EvaluateWith(TestProviders(), definition);
  EXPECT_EQ(Findings(open), "");
  EXPECT_EQ(Revealed(open), R"({"a":{"current":"c"}})");
  EXPECT_TRUE(open.rotations.empty());
  // Who edits it must be allowed to open it.
  EXPECT_EQ(Findings(EvaluateWith(TestProviders(), definition, EvalMode::kCheck)),
            "2:41 values.a[\"fn::rotate::echo\"].inputs.next environment \"no/where\" not found: "
            "imports cannot be read here");
  const EvalResult rotated = Rotate(definition);
  ASSERT_EQ(rotated.rotations.size(), 1u);
  EXPECT_EQ(rotated.rotations[0].status, Rotation::Status::kNotEvaluated);
}

TEST_F(RotateTest, TheFirstRotationHasNoState) {
  const EvalResult result = Rotate("values:\n  a: {fn::rotate::echo: {inputs: {next: n}}}\n");
  EXPECT_EQ(Findings(result), "");
  EXPECT_EQ(Revealed(result), R"({"a":{"current":"n","previous":null}})");
}

TEST(ToDefinitionTest, SecretsAreLiteralCallsAndOtherDollarsEscaped) {
  esc::Value::Object object;
  object.emplace_back("n", esc::Value::Number(Secret(std::string_view("1.50"))));
  esc::Value secret = esc::Value::MakeObject(std::move(object));
  secret.MarkSecret();
  EvalResult result;
  esc::Value::Object members;
  members.emplace_back("o", std::move(secret));
  esc::Value text = esc::Value::String(Secret(std::string_view("a${b}")));
  text.set_secret(true);
  members.emplace_back("p", esc::Value::String(Secret(std::string_view("a${b}"))));
  members.emplace_back("t", std::move(text));
  result.properties = ToDefinition(esc::Value::MakeObject(std::move(members)));
  EXPECT_EQ(Revealed(result), R"({"o":{"fn::fromJSON":{"fn::secret":"{\"n\":1.50}"}},"p":"a$${b}",)"
                              R"("t":{"fn::secret":"a${b}"}})");
}

class PasswordTest : public RotateTest {
 protected:
  PasswordTest() { EXPECT_TRUE(AddLocalProviders({}, clock_, registry_)); }

  EvalResult Run(const std::string& inputs, const std::string& state, EvalMode mode) {
    EvalOptions options;
    options.providers = &registry_;
    options.mode = mode;
    return Evaluate(
        "values: {p: {fn::rotate::password: {inputs: " + inputs + ", state: " + state + "}}}",
        options);
  }
  // The password after a rotation; "" when it failed.
  std::string NewPassword(const std::string& inputs) {
    const EvalResult result = Run(inputs, "null", EvalMode::kRotate);
    const esc::Value* const value = result.properties.Find("p");
    return value == nullptr || value->unknown() ? "" : std::string(value->ScalarText());
  }
  static long Count(const std::string& text, const std::string& characters) {
    return std::ranges::count_if(text, [&](char c) { return characters.contains(c); });
  }

  SystemClock clock_;
  ProviderRegistry registry_;
};

TEST_F(PasswordTest, HasTheCharactersThatAreAskedFor) {
  const std::string lower = "abcdefghijklmnopqrstuvwxyz";
  const std::string upper = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
  EXPECT_EQ(NewPassword("{}").size(), 16u);
  EXPECT_NE(NewPassword("{}"), NewPassword("{}"));
  const std::string mixed =
      NewPassword("{length: 9, minLower: 2, minUpper: 3, minSpecial: 4, overrideSpecial: '~'}");
  EXPECT_EQ(Count(mixed, lower), 2) << mixed;
  EXPECT_EQ(Count(mixed, upper), 3) << mixed;
  EXPECT_EQ(Count(mixed, "~"), 4) << mixed;
  EXPECT_EQ(Count(NewPassword("{length: 300, upper: false, special: false}"), lower), 300);
  const std::string all = NewPassword("{length: 4096}");
  EXPECT_GT(Count(all, lower), 1000);
  EXPECT_GT(Count(all, "!@#$%&*()-_=+[]{}<>:?"), 800);
}

TEST_F(PasswordTest, KeepsTheOneBefore) {
  const EvalResult first = Run("{}", "{current: {fn::secret: old}}", EvalMode::kRotate);
  ASSERT_EQ(first.rotations.size(), 1u);
  const esc::Value& state = first.rotations[0].state;
  EXPECT_EQ(state.Find("previous")->ScalarText(), "old");
  EXPECT_EQ(state.Find("current")->ScalarText(), first.properties.Find("p")->ScalarText());
  EXPECT_TRUE(state.Find("current")->secret() && state.Find("previous")->secret());
  const EvalResult open = Run("{}", "{current: {fn::secret: c}, previous: null}", EvalMode::kOpen);
  EXPECT_EQ(Redacted(open), R"({"p":"[secret]"})");
  EXPECT_EQ(Revealed(open), R"({"p":"c"})");
}

TEST_F(PasswordTest, SaysWhatIsWrong) {
  EXPECT_TRUE(Findings(Run("{}", "null", EvalMode::kOpen))
                  .contains("there is no password yet; rotate the environment"));
  for (const char* inputs :
       {"{length: 0}", "{length: 2.5}", "{length: -1}", "{length: 100000}",
        "{length: 3, minLower: 4}", "{lower: false, upper: false, special: false}",
        "{lower: false, upper: false, overrideSpecial: ''}", "{what: 1}", "{length: x}"}) {
    const EvalResult result = Run(inputs, "null", EvalMode::kRotate);
    EXPECT_FALSE(result.ok()) << inputs;
    ASSERT_EQ(result.rotations.size(), 1u) << inputs;
    EXPECT_NE(result.rotations[0].status, Rotation::Status::kSucceeded) << inputs;
  }
}

class LocalProvidersTest : public testing::Test {
 protected:
  LocalProvidersTest() {
    char name[] = "/tmp/esc-providers-XXXXXX";
    folder_ = ::mkdtemp(name);
  }
  ~LocalProvidersTest() override { std::filesystem::remove_all(folder_); }

  void Write(const std::string& name, std::string_view text) {
    std::ofstream(folder_ / name, std::ios::binary) << text;
  }

  EvalResult Evaluate(std::string_view definition, bool allow_exec = false) {
    ProviderRegistry registry;
    EXPECT_TRUE(AddLocalProviders({.files = (folder_ / "open").string(),
                                   .allow_env = {"ESC_EVAL_TEST"},
                                   .allow_exec = allow_exec},
                                  clock_, registry));
    return EvaluateWith(registry, definition);
  }

  SystemClock clock_;
  std::filesystem::path folder_;
};

TEST_F(LocalProvidersTest, TheTestRotatorKeepsTheTextBefore) {
  const std::string definition =
      "values:\n  a: {fn::rotate::test: {inputs: {next: new}, state: {current: old}}}\n";
  EXPECT_EQ(Revealed(Evaluate(definition)), R"({"a":{"current":"old"}})");
  EXPECT_EQ(Findings(Evaluate("values:\n  a: {fn::rotate::test: {inputs: {next: new}}}")),
            "2:6 values.a fn::rotate::test was not rotated yet");
  ProviderRegistry registry;
  ASSERT_TRUE(AddLocalProviders({}, clock_, registry));
  EvalOptions options;
  options.providers = &registry;
  options.mode = EvalMode::kRotate;
  const EvalResult rotated = eval::Evaluate(definition, options);
  EXPECT_EQ(Revealed(rotated), R"({"a":{"current":"new","previous":"old"}})");
  ASSERT_EQ(rotated.rotations.size(), 1u);
  EXPECT_EQ(rotated.rotations[0].status, Rotation::Status::kSucceeded);
}

TEST_F(LocalProvidersTest, FilesAreReadBelowTheFolderOnly) {
  std::filesystem::create_directories(folder_ / "open/sub");
  Write("secret", "outside");
  Write("open/sub/a", "text\n");
  Write("open/b.json", R"({"k": [1.50]})");
  Write("open/c", "\xff");
  std::filesystem::create_symlink(folder_ / "secret", folder_ / "open/link");
  const EvalResult good = Evaluate(
      "values:\n  a: {fn::open::file: {path: sub/a}}\n"
      "  b: {fn::open::file: {path: b.json, format: json}}\n"
      "  c: {fn::open::file: {path: c, format: base64}}\n");
  EXPECT_EQ(Findings(good), "");
  EXPECT_EQ(Revealed(good), R"({"a":"text\n","b":{"k":[1.50]},"c":"/w=="})");
  EXPECT_EQ(Redacted(good), R"({"a":"[secret]","b":"[secret]","c":"[secret]"})");
  for (const char* path : {"../secret", "/etc/passwd", "link", "sub/../../secret"}) {
    const EvalResult bad =
        Evaluate("values:\n  a: {fn::open::file: {path: " + std::string(path) + "}}\n");
    EXPECT_EQ(Findings(bad), "2:6 values.a open file " + std::string(path) +
                                 " for fn::open: the path leads out of the folder of the file "
                                 "provider");
  }
  EXPECT_EQ(Findings(Evaluate("values:\n  a: {fn::open::file: {path: sub}}\n")),
            "2:6 values.a open file sub for fn::open: not a regular file");
  EXPECT_EQ(Findings(Evaluate("values:\n  a: {fn::open::file: {path: c}}\n")),
            "2:6 values.a read file c: not UTF-8; use format: base64");
  EXPECT_FALSE(Evaluate("values:\n  a: {fn::open::file: {path: none}}\n").ok());
}

TEST_F(LocalProvidersTest, VariablesMustBeAllowed) {
  ::setenv("ESC_EVAL_TEST", "hunter2", 1);
  EXPECT_EQ(Revealed(Evaluate("values:\n  a: {fn::open::env: {names: [ESC_EVAL_TEST]}}\n")),
            R"({"a":{"ESC_EVAL_TEST":"hunter2"}})");
  EXPECT_EQ(Findings(Evaluate("values:\n  a: {fn::open::env: {names: [PATH]}}\n")),
            "2:6 values.a read variable PATH for fn::open: not allowed; see --allow-env");
  ::unsetenv("ESC_EVAL_TEST");
  EXPECT_EQ(Findings(Evaluate("values:\n  a: {fn::open::env: {names: [ESC_EVAL_TEST]}}\n")),
            "2:6 values.a read variable ESC_EVAL_TEST for fn::open: not set");
}

TEST_F(LocalProvidersTest, ProgramsRunOnlyWhenAllowed) {
  const char* definition =
      "values:\n  a: {fn::open::exec: {command: [echo, '{\"k\": \"a b\"}; $HOME']}}\n";
  EXPECT_EQ(Findings(Evaluate(definition)), "2:6 values.a unknown provider \"exec\"");
  const EvalResult result = Evaluate(definition, /*allow_exec=*/true);
  EXPECT_EQ(Findings(result), "");
  EXPECT_EQ(Revealed(result), R"({"a":{"k":"a b"}})");
  EXPECT_EQ(Redacted(result), R"({"a":"[secret]"})");
}

TEST_F(LocalProvidersTest, ProgramsThatFailAreReportedWithoutTheirOutput) {
  const auto finding = [&](const std::string& command) {
    return Findings(Evaluate("values:\n  a: {fn::open::exec: {command: " + command + "}}\n",
                             /*allow_exec=*/true));
  };
  EXPECT_EQ(finding("[sh, -c, 'echo hunter2; exit 3']"),
            "2:6 values.a run sh for fn::open: exit code 3");
  EXPECT_EQ(finding("[sh, -c, 'kill -9 $$$$']"),
            "2:6 values.a run sh for fn::open: killed by signal 9");
  EXPECT_EQ(finding("[echo, hunter2]"),
            "2:6 values.a run echo for fn::open: its output is not JSON, fault at byte 1");
  EXPECT_EQ(finding("[sh, -c, 'yes hunter2']"),
            "2:6 values.a run sh for fn::open: it printed more than 1 MiB");
  EXPECT_TRUE(finding("[/no/such/program]")
                  .starts_with("2:6 values.a run /no/such/program for fn::open: "));
  EXPECT_EQ(finding("[]"),
            "2:33 values.a[\"fn::open::exec\"].command expected an array with at least 1 items");
}

TEST(ExecProviderTest, ProgramsThatHangAreKilled) {
  SystemClock clock;
  ProviderRegistry registry;
  ASSERT_TRUE(registry.AddProvider(
      "exec", std::make_shared<ExecProvider>(clock, std::chrono::milliseconds(50))));
  EXPECT_EQ(Findings(EvaluateWith(
                registry, "values:\n  a: {fn::open::exec: {command: [sh, -c, 'sleep 1000']}}\n")),
            "2:6 values.a run sh for fn::open: it took too long");
}

}  // namespace
}  // namespace escagent::eval
