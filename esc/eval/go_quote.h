#pragma once

#include <string_view>

#include "base/secret.h"

namespace escagent::eval {

// Appends the text in double quotes as Go's strconv.Quote writes it: \a \b \f \n \r \t \v \\ \",
// \x7f and \u00a0 for what does not print. Of the characters above ASCII the controls, spaces,
// format characters and private ones count as not printing.
void AppendGoQuoted(std::string_view text, SecretBuilder& out);

}  // namespace escagent::eval
