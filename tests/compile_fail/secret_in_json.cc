// refused by GNU: conversion from .*Secret.* to non-scalar type .*json
// refused by Clang: no viable conversion from .*Secret
#include <nlohmann/json.hpp>

#include "base/secret.h"

nlohmann::json Describe(const escagent::Secret& secret) {
#ifdef MISUSE
  nlohmann::json json = secret;
#else
  nlohmann::json json = secret.Size();
#endif
  return json;
}
