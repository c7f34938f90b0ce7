#include <gtest/gtest.h>

#include <string>

#include "tests/unit/template/template_fixture.h"

// An error may become a condition that many can read: it holds the template's text, never a value.
namespace escagent::gotemplate {
namespace {

constexpr char kCanary[] = "ca(nary";

TEST(TemplateSecrecy, ErrorsHoldNoValue) {
  const char* templates[] = {
      "{{ .v.x }}",
      "{{ range .v }}{{ end }}",
      "{{ fail .v }}",
      R"({{ printf "bad: %s" .v | fail }})",
      R"({{ print "bad: " .v | fail }})",
      "{{ eq (list .v) (list .v) }}",
      "{{ lt .v 1 }}",
      "{{ index .v .v }}",
      "{{ index . 5 .v }}",
      "{{ regexFind .v .v }}",
      "{{ mustRegexReplaceAll .v .v .v }}",
      "{{ mustFromJson .v }}",
      "{{ urlParse (print .v \" \") }}",
      R"({{ urlJoin (dict "host" (list .v)) }})",
      "{{ first .v }}",
      "{{ concat .v }}",
      R"({{ dig "a" "b" .v (dict "a" .v) }})",
      "{{ upper (list .v) }}",
      "{{ .v | repeat -1 }}",
      "{{ call .v }}",
      "{{ filterPEM .v .v }}",
      "{{ filterCertChain .v .v }}",
      "{{ certSANs .v }}",
      "{{ ternary .v .v .v }}",
      "{{ substr 9 1 .v }}",
      "{{ $x := .v }}{{ $x.a }}",
      "{{ get . .v }}",
      "{{ (dict .v .v).other }}",
      "{{ range $i, $e := int .v }}{{ end }}",
  };
  for (const char* text : templates) {
    const Result<Secret> result = Render("t", text, {{"v", kCanary}});
    ASSERT_FALSE(result) << text;
    EXPECT_EQ(result.error().message.find("nary"), std::string::npos) << result.error().message;
    EXPECT_EQ(result.error().message.find("template: t:1:"), 0U) << result.error().message;
  }
}

TEST(TemplateSecrecy, TheTemplatesOwnMessagesAreShown) {
  EXPECT_EQ(Outcome(R"({{ fail "no password" }})"),
            R"(error: template: t:1:3: executing "t" at <fail "no password">: )"
            R"(error calling fail: no password)");
  EXPECT_EQ(Outcome(R"({{ $why := "piped" }}{{ $why | fail }})"),
            R"(error: template: t:1:31: executing "t" at <fail>: error calling fail: piped)");
  EXPECT_NE(Outcome("{{ fail .user }}").find("not shown"), std::string::npos);
}

TEST(TemplateSecrecy, WhatReadsTheMachineDoesNotExist) {
  for (const char* name : {"env", "expandenv", "getHostByName", "lookup", "readFile", "include",
                           "tpl", "getSecretKey"}) {
    EXPECT_EQ(Outcome("{{ " + std::string(name) + " \"x\" }}"),
              "error: template: t:1: function \"" + std::string(name) + "\" not defined");
  }
}

TEST(TemplateSecrecy, WhatDiffersFromCallToCallIsRefusedByName) {
  for (const char* name : {"now", "uuidv4", "randAlphaNum", "genCA", "htpasswd", "bcrypt", "date",
                           "shuffle", "genPrivateKey", "encryptAES"}) {
    const std::string error = Outcome("{{ " + std::string(name) + " }}");
    EXPECT_EQ(error.find("error: template: t:1: function \"" + std::string(name) +
                         "\" is not available: "),
              0U)
        << error;
    EXPECT_NE(error.find("with every sync"), std::string::npos) << error;
  }
}

}  // namespace
}  // namespace escagent::gotemplate
