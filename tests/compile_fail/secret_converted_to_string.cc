// Reveal() is the one way out, and easy to grep for.
// refused by GNU: conversion from .*Secret.* to non-scalar type .*string
// refused by Clang: no viable conversion from .*Secret
#include "base/secret.h"

std::string Take(const escagent::Secret& secret) {
#ifdef MISUSE
  std::string text = secret;
#else
  std::string text(secret.Reveal());
#endif
  return text;
}
