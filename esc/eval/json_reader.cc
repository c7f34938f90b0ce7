#include "esc/eval/json_reader.h"

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/json.h"

namespace escagent::eval {
namespace {

using nlohmann::json;
using Kind = esc::Value::Kind;

// Builds nodes from nlohmann's SAX events, which never throw.
class NodeBuilder final : public nlohmann::json_sax<json> {
 public:
  NodeBuilder(bool secret, const Cell* definition, Budget& budget)
      : secret_(secret), definition_(definition), budget_(budget) {}

  NodePtr TakeRoot() { return std::move(root_); }
  const std::string& fault() const { return fault_; }

  bool null() override { return Add(Start(Kind::kNull)); }
  bool boolean(bool value) override {
    Node node = Start(Kind::kBool);
    node.boolean = value;
    return Add(std::move(node));
  }
  bool number_integer(number_integer_t value) override { return AddNumber(std::to_string(value)); }
  bool number_unsigned(number_unsigned_t value) override {
    return AddNumber(std::to_string(value));
  }
  bool number_float(number_float_t, const string_t& text) override { return AddNumber(text); }
  bool string(string_t& text) override {
    Node node = Start(Kind::kString);
    node.text = std::make_shared<const Secret>(std::move(text));
    return Add(std::move(node));
  }
  bool binary(binary_t&) override { return false; }

  bool start_object(std::size_t) override { return Open(Kind::kObject); }
  bool start_array(std::size_t) override { return Open(Kind::kArray); }
  bool end_object() override { return Close(); }
  bool end_array() override { return Close(); }
  bool key(string_t& key) override {
    open_.back().key = key;
    return true;
  }

  bool parse_error(std::size_t position, const std::string&,
                   const nlohmann::detail::exception&) override {
    // The message quotes the text near the fault, which may be a value.
    return Refuse("not JSON, fault at byte " + std::to_string(position));
  }

 private:
  struct Frame {
    Node node;
    std::string key;
    std::map<std::string, NodePtr> members;
  };

  Node Start(Kind kind) const {
    Node node;
    node.kind = kind;
    node.secret = secret_;
    node.definition = definition_;
    return node;
  }

  bool Refuse(std::string why) {
    fault_ = std::move(why);
    return false;
  }

  bool AddNumber(std::string text) {
    Node node = Start(Kind::kNumber);
    node.text = std::make_shared<const Secret>(std::move(text));
    return Add(std::move(node));
  }

  bool Open(Kind kind) {
    if (open_.size() >= kMaxJsonDepth) {
      return Refuse("the JSON is nested more than " + std::to_string(kMaxJsonDepth) + " deep");
    }
    open_.push_back({.node = Start(kind), .key = "", .members = {}});
    return true;
  }

  bool Close() {
    Node node = std::move(open_.back().node);
    for (auto& [key, member] : open_.back().members) {
      node.members.push_back({.key = key, .node = std::move(member)});
    }
    open_.pop_back();
    return Add(std::move(node));
  }

  bool Add(Node node) {
    budget_.Spend(sizeof(Node) + node.Text().size());
    if (budget_.IsSpent()) return Refuse("the environment is too large to evaluate");
    NodePtr sealed = Seal(std::move(node));
    if (open_.empty()) {
      root_ = std::move(sealed);
    } else if (Frame& top = open_.back(); top.node.kind == Kind::kArray) {
      top.node.elements.push_back(std::move(sealed));
    } else {
      top.members[std::move(top.key)] = std::move(sealed);
    }
    return true;
  }

  bool secret_;
  const Cell* definition_;
  Budget& budget_;
  std::vector<Frame> open_;
  NodePtr root_;
  std::string fault_;
};

}  // namespace

Result<NodePtr> ReadJsonValue(std::string_view text, bool secret, const Cell* definition,
                              Budget& budget) {
  NodeBuilder builder(secret, definition, budget);
  if (!json::sax_parse(text.begin(), text.end(), &builder, json::input_format_t::json,
                       /*strict=*/false)) {
    return InvalidArgument(builder.fault());
  }
  return builder.TakeRoot();
}

}  // namespace escagent::eval
