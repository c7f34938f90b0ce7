#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace escagent::kube {

// Texts of others (an API server, an exec plugin) made fit for an error message.

// One line of at most `max_size` bytes of valid UTF-8, cut with "..."; white space and control
// characters in a row are one space.
std::string PlainText(std::string_view text, std::size_t max_size = 2000);

// A server's message about an object that holds secrets, without what it may quote from it:
//   Secret "..." is invalid: data[a b]: Invalid value: "...": a valid config key must ...
// Taken out are all quoted texts, what follows "value:" unquoted, and the rest of the message from
// where decoders of Go begin to show their input.
std::string WithoutQuotedValues(std::string_view message);

}  // namespace escagent::kube
