#pragma once

#include <cstddef>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "esc/value.h"
#include "esc/value_json.h"

namespace escagent::esc {

// The SAX handler behind ParseValueNode and ParseEnvironment (esc/value_json.h has the rules): a
// stack of what is being read, so that strings go from the parser's buffer straight into Secrets
// and nothing that is not needed is kept.
class ValueReader final : public nlohmann::json_sax<nlohmann::json> {
 public:
  enum class Document { kNode, kEnvironment };

  explicit ValueReader(Document document, std::size_t max_values = kMaxValues)
      : document_(document), max_values_(max_values) {}

  // Why reading stopped, without any of the text; empty while all is well.
  const std::optional<std::string>& fault() const { return fault_; }
  // What was read, after the whole document went through without a fault.
  Value TakeResult() { return std::move(result_); }

  bool null() override;
  bool boolean(bool value) override;
  bool number_integer(number_integer_t value) override;
  bool number_unsigned(number_unsigned_t value) override;
  bool number_float(number_float_t value, const string_t& text) override;
  bool string(string_t& text) override;
  bool binary(binary_t& bytes) override;
  bool start_object(std::size_t size) override;
  bool key(string_t& name) override;
  bool end_object() override;
  bool start_array(std::size_t size) override;
  bool end_array() override;
  bool parse_error(std::size_t position, const std::string& last_token,
                   const nlohmann::detail::exception& error) override;

 private:
  // What the next JSON value is, by its place in the document.
  enum class Expect {
    kNode,
    kContent,
    kSecretFlag,
    kUnknownFlag,
    kEnvironment,
    kProperties,
    kSkip
  };

  struct Frame {
    enum class Kind { kNode, kArray, kMembers, kEnvironment };
    Kind kind = Kind::kNode;
    Expect expect = Expect::kSkip;
    // kNode: its content. kEnvironment: its properties.
    Value value;
    bool secret = false;
    bool unknown = false;
    // kEnvironment
    bool has_known_member = false;
    bool has_unknown_member = false;
    // kArray
    Value::Array elements;
    // kMembers; `key` is the member being read, if any.
    Value::Object members;
    std::optional<std::string> key;
  };

  Expect Expected() const;
  // Whether the next scalar is kept or looked at.
  bool IsWanted() const { return skip_depth_ == 0 && Expected() != Expect::kSkip; }
  bool OnScalar(Value value);
  bool SetFlag(bool& flag, const Value& value);
  void Push(Frame::Kind kind, Expect expect);
  bool OnEnvironmentKey(Frame& frame, std::string_view name);
  // A whole node was read.
  bool DeliverNode(Value value);
  bool EndEnvironment(Frame frame);
  bool Fault(std::string_view cause);
  std::string Path() const;

  Document document_;
  std::size_t max_values_;
  std::vector<Frame> stack_;
  // How deep inside a value that is skipped.
  std::size_t skip_depth_ = 0;
  std::size_t values_ = 0;
  Value result_;
  std::optional<std::string> fault_;
};

}  // namespace escagent::esc
