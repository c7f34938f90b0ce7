#pragma once

#include <cstddef>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "esc/environment_ref.h"

namespace escagent::esc {

// A SAX handler for an opened environment's JSON that keeps nothing but the names in the traces of
// its values: `"trace": {"def": {"environment": NAME, ...}}` (reference/esc-api.md "JSON shapes").
class TraceReader final : public nlohmann::json_sax<nlohmann::json> {
 public:
  // `opened`: whose values are read. Names without an organization are of the same one.
  explicit TraceReader(EnvironmentRef opened);

  // The environments named, but `opened`; sorted. Names that are none ("<yaml>") are left out.
  std::vector<EnvironmentRef> Contributors() const;

  bool null() override { return true; }
  bool boolean(bool) override { return true; }
  bool number_integer(number_integer_t) override { return true; }
  bool number_unsigned(number_unsigned_t) override { return true; }
  bool number_float(number_float_t, const string_t&) override { return true; }
  bool string(string_t& text) override;
  bool binary(binary_t&) override { return true; }
  bool start_object(std::size_t) override;
  bool key(string_t& name) override;
  bool end_object() override;
  bool start_array(std::size_t) override { return true; }
  bool end_array() override { return true; }
  // The position is in the error that ParseJsonSax makes.
  bool parse_error(std::size_t, const std::string&, const nlohmann::detail::exception&) override {
    return false;
  }

 private:
  EnvironmentRef opened_;
  // The keys that lead here.
  std::vector<std::string> keys_;
  std::set<std::string, std::less<>> names_;
};

}  // namespace escagent::esc
