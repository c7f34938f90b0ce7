#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>

#include "tests/system/mirror_bed.h"

namespace escagent::testing {

// Runs a test on the stand-in for an API server and, when KUBEBUILDER_ASSETS names a folder with
// kube-apiserver and etcd, on the real one; skipped visibly when it does not. Both are started once
// for the whole program; each test has namespaces and stores of its own.
class MirrorTest : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override;
  void TearDown() override;

  bool IsFake() const { return cluster_->IsFake(); }
  // The stand-in's.
  std::uint64_t Writes(const std::string& resource) const;

  apiserver::TestCluster* cluster_ = nullptr;
  std::unique_ptr<MirrorBed> bed_;
};

}  // namespace escagent::testing
