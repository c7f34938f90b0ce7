#pragma once

#include <string>

#include "esc/eval/evaluator.h"
#include "esc/eval/provider.h"

namespace escagent::eval {

// The providers and rotators that the cases of pulumi/esc call: `test` gives its inputs back,
// `secret-wrapper` marks them, `schema` has a schema with about every keyword, `error` fails with
// the text of its input `why`; `swap` exchanges the parts of its state, `echo` makes its input the
// next state.
const ProviderRegistry& TestProviders();

// Opens ciphertext whose bytes were turned by 128.
class Rot128 final : public Decrypter {
 public:
  Result<Secret> Decrypt(std::string_view ciphertext) override;
};

}  // namespace escagent::eval
