#include <gtest/gtest.h>

#include <string>

#include "agent/template/render.h"

// ESO's functions on PEM texts, on a chain of three throw-away certificates.
namespace escagent::gotemplate {
namespace {

constexpr char kRoot[] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBdTCCARugAwIBAgIUcJBBvBGFaAleSPlZ9Vyv5456KgUwCgYIKoZIzj0EAwIw\n"
    "DzENMAsGA1UEAwwEcm9vdDAgFw0yNjExMjgyMjQ1NThaGA8yMTI2MTEwNDIyNDU1\n"
    "OFowDzENMAsGA1UEAwwEcm9vdDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABL0q\n"
    "IHb/uzwwZpAaP+OkTcYOkCMpbRwYZmHXrhtw+s0QPAXWs/Bn6vJgU/wyU1Th4r7/\n"
    "Ttrrve7vUtuMIRQYvaSjUzBRMB8GA1UdIwQYMBaAFCtHhr3QhkqhJAlRQj8BmZxl\n"
    "HF07MA8GA1UdEwEB/wQFMAMBAf8wHQYDVR0OBBYEFCtHhr3QhkqhJAlRQj8BmZxl\n"
    "HF07MAoGCCqGSM49BAMCA0gAMEUCIQC2CgDDfPbC315tbd+xw2Rdd7ZctxUDjnI5\n"
    "X26J0qpuAQIgJMJM4JuDxAi3xbz/jwYXta+0Fvkz34Hm58dLJmwemUM=\n"
    "-----END CERTIFICATE-----\n";

constexpr char kIntermediate[] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBcDCCARegAwIBAgIUfkf9QsBe4aOtGnj1Gy/EU7BD/+owCgYIKoZIzj0EAwIw\n"
    "DzENMAsGA1UEAwwEcm9vdDAgFw0yNjExMjgyMjQ1NTlaGA8yMTI2MTEwNDIyNDU1\n"
    "OVowDjEMMAoGA1UEAwwDbWlkMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAExTHr\n"
    "IsfD4ka6w19dHEjI4XMRckcpL+4n72A2sA5xIIlQNXXwUwBBnv4LOYNOAoBir1lC\n"
    "WwTbpaVZMmbSVQr2/KNQME4wDAYDVR0TBAUwAwEB/zAdBgNVHQ4EFgQULmjQlDst\n"
    "rzZoOcBms979DG2wQvgwHwYDVR0jBBgwFoAUK0eGvdCGSqEkCVFCPwGZnGUcXTsw\n"
    "CgYIKoZIzj0EAwIDRwAwRAIgJQaUNjszOgBhJEV+rMr5dEYZFbcN8kEo887j50Vj\n"
    "OHICIHTDJyie3qWyOpatsxATEBUzyGFuuTQcKy1a1ZqZI15s\n"
    "-----END CERTIFICATE-----\n";

constexpr char kLeaf[] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBsTCCAVagAwIBAgIUMRxfPm4SZzWJemAw3Ku2jl5XnYgwCgYIKoZIzj0EAwIw\n"
    "DjEMMAoGA1UEAwwDbWlkMCAXDTI2MTEyODIyNDU1OVoYDzIxMjYxMTA0MjI0NTU5\n"
    "WjAPMQ0wCwYDVQQDDARsZWFmMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEufcV\n"
    "Q9m9rDu81TLVI2h6tTSjI5SxITmyUeT4n2aBvoXBZliermkYqNkG8eotpBjsGqtE\n"
    "05+MqER+ZKxylPU0tKOBjjCBizAdBgNVHQ4EFgQUR/045cNHCbocM30BHqitNw3S\n"
    "/34wHwYDVR0jBBgwFoAULmjQlDstrzZoOcBms979DG2wQvgwSQYDVR0RBEIwQIIG\n"
    "YS50ZXN0hwQKAAABgQh4QGEudGVzdIIGYi50ZXN0hgxzcGlmZmU6Ly9hL2KHECAB\n"
    "DbgAAAAAAAAAAAAAAAEwCgYIKoZIzj0EAwIDSQAwRgIhAMBQgKXlJQaaCjOsgucV\n"
    "JjFSyutkHhQ9SxS1NxcLj1elAiEAjvC2ZalOMyDQOTzvCnRhWjO3jmwM25Rg4UR1\n"
    "xkBI+lQ=\n"
    "-----END CERTIFICATE-----\n";

// Not a key: PEM does not say what is in it.
constexpr char kKey[] =
    "-----BEGIN PRIVATE KEY-----\n"
    "bm90IGEga2V5\n"
    "-----END PRIVATE KEY-----\n";

std::string Rendered(std::string_view text, const std::string& pem) {
  const Result<Secret> result = Render("t", text, {{"pem", pem}});
  return result ? std::string(result->Reveal()) : "error: " + result.error().message;
}

bool EndsWith(const std::string& text, std::string_view end) { return text.ends_with(end); }

TEST(PemFunctions, FilterPemKeepsTheBlocksOfOneType) {
  const std::string all = std::string("junk\n") + kLeaf + "between\n" + kKey + kRoot;
  EXPECT_EQ(Rendered("{{ .pem | filterPEM \"CERTIFICATE\" }}", all), std::string(kLeaf) + kRoot);
  EXPECT_EQ(Rendered("{{ .pem | filterPEM \"private key\" }}", all), kKey);
  EXPECT_EQ(Rendered("{{ .pem | filterPEM \"X\" }}", all), "");
  EXPECT_EQ(Rendered("{{ .pem | filterPEM \"X\" }}", ""), "");
  EXPECT_TRUE(EndsWith(Rendered("{{ .pem | filterPEM \"X\" }}", "text"),
                       "error calling filterPEM: error filtering pem: found junk"));
}

TEST(PemFunctions, FilterCertChainOrdersByKeyIds) {
  const std::string shuffled = std::string(kRoot) + kLeaf + kIntermediate;
  EXPECT_EQ(Rendered("{{ .pem | filterCertChain \"leaf\" }}", shuffled), kLeaf);
  EXPECT_EQ(Rendered("{{ .pem | filterCertChain \"intermediate\" }}", shuffled), kIntermediate);
  EXPECT_EQ(Rendered("{{ .pem | filterCertChain \"root\" }}", shuffled), kRoot);
  EXPECT_EQ(Rendered("{{ .pem | filterCertChain \"other\" }}", shuffled), "");
  EXPECT_EQ(Rendered("{{ .pem | filterCertChain \"leaf\" }}", kRoot), "");
  EXPECT_EQ(Rendered("{{ .pem | filterCertChain \"root\" }}", kLeaf), "");
}

TEST(PemFunctions, FilterCertChainRefusesWhatIsNoChain) {
  const std::string filter = "{{ .pem | filterCertChain \"leaf\" }}";
  EXPECT_TRUE(EndsWith(Rendered(filter, std::string(kRoot) + kLeaf),
                       "found multiple leaf or disjunct certificates"));
  EXPECT_TRUE(EndsWith(Rendered(filter, ""), "no leaf certificate found"));
  EXPECT_TRUE(EndsWith(Rendered(filter, kKey), "failed to parse certificate: a PEM block is none"));
}

TEST(PemFunctions, CertSansListsAllKinds) {
  EXPECT_EQ(Rendered("{{ .pem | certSANs | join \" \" }}", kLeaf),
            "a.test b.test 10.0.0.1 2001:db8::1 x@a.test spiffe://a/b");
  EXPECT_EQ(Rendered("{{ .pem | certSANs }}", kRoot), "[]");
  EXPECT_TRUE(EndsWith(Rendered("{{ .pem | certSANs }}", "x"), "failed to decode PEM block"));
}

}  // namespace
}  // namespace escagent::gotemplate
