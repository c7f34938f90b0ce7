#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "kube/client.h"
#include "tests/fakes/fake_clock.h"
#include "tests/fakes/fake_http_transport.h"
#include "tests/unit/kube/make_object.h"

namespace escagent::kube {

// A Client with the token "t0ken-one" whose HTTP is scripted.
class ClientTest : public ::testing::Test {
 protected:
  static Config MakeConfig() {
    Config config;
    config.server = "https://api.test:6443";
    config.token = std::make_shared<const Secret>(std::string_view("t0ken-one"));
    return config;
  }

  const ObjectKey app_{"podinfo", "app"};
  escagent::testing::FakeClock clock_;
  escagent::testing::FakeHttpTransport http_;
  Connection connection_{MakeConfig(), clock_};
  Client client_{{}, connection_, http_, clock_};
};

inline std::string HeaderOf(const escagent::testing::FakeHttpTransport::Recorded& request,
                            std::string_view name) {
  for (const HttpHeader& header : request.headers) {
    if (header.name == name) return header.value;
  }
  return "";
}

}  // namespace escagent::kube
