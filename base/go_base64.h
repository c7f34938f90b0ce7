#pragma once

#include <string>
#include <string_view>

namespace escagent {

// What Go's encoding/base64 (standard alphabet, padded) says of a text that DecodeBase64 refuses:
// "illegal base64 data at input byte 4". Holds nothing of the text.
std::string DescribeBase64Fault(std::string_view text);

}  // namespace escagent
