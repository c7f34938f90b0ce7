#include "agent/template/function.h"

#include <algorithm>
#include <array>
#include <map>

#include "agent/template/format.h"

namespace escagent::gotemplate {
namespace {

constexpr std::string_view kNotRepeatable =
    "its result is another at each call, so the Secret would change with every sync; make the "
    "value "
    "in the environment";

// sprig's functions that depend on the clock or on random numbers.
constexpr std::string_view kRefused[] = {
    "ago",
    "bcrypt",
    "buildCustomCert",
    "date",
    "dateInZone",
    "dateModify",
    "date_in_zone",
    "date_modify",
    "encryptAES",
    "genCA",
    "genCAWithKey",
    "genPrivateKey",
    "genSelfSignedCert",
    "genSelfSignedCertWithKey",
    "genSignedCert",
    "genSignedCertWithKey",
    "htmlDate",
    "htmlDateInZone",
    "htpasswd",
    "mustDateModify",
    "must_date_modify",
    "now",
    "randAlpha",
    "randAlphaNum",
    "randAscii",
    "randBytes",
    "randInt",
    "randNumeric",
    "shuffle",
    "uuidv4",
};

std::map<std::string_view, const Function*> CollectFunctions() {
  std::map<std::string_view, const Function*> functions;
  // Of two functions with one name the later wins: sprig's slice replaces the language's.
  for (const std::span<const Function> table :
       {BuiltinFunctions(), ComparisonFunctions(), StringFunctions(), WordFunctions(),
        RegexFunctions(), DefaultFunctions(), ListFunctions(), DictFunctions(), MathFunctions(),
        EncodingFunctions(), JsonFunctions(), YamlFunctions(), PathFunctions(), PemFunctions()}) {
    for (const Function& function : table) functions[function.name] = &function;
  }
  return functions;
}

}  // namespace

const Map& Call::Dict(std::size_t index) const {
  static const Map kEmpty;
  return args[index].IsMap() ? args[index].map() : kEmpty;
}

Value Call::MakeStrings(const std::vector<std::string>& texts) {
  List& list = heap.NewList(Element::kString);
  for (const std::string& text : texts) heap.Push(list, heap.Text(std::string(text)));
  return Value::Of(&list);
}

const Function* FindFunction(std::string_view name) {
  static const std::map<std::string_view, const Function*> functions = CollectFunctions();
  const auto found = functions.find(name);
  return found == functions.end() ? nullptr : found->second;
}

std::string_view WhyRefused(std::string_view name) {
  return std::ranges::find(kRefused, name) != std::end(kRefused) ? kNotRepeatable : "";
}

std::string_view ParameterType(char letter) {
  switch (letter) {
    case 's':
      return "string";
    case 'i':
      return "int";
    case 'f':
      return "float64";
    case 'b':
      return "bool";
    case 'm':
      return "map[string]interface {}";
    case 'v':
      return "reflect.Value";
    default:
      return "interface {}";
  }
}

std::string ToText(const Value& value, Heap& heap) {
  if (value.IsText()) return std::string(value.text());
  TextBuilder out(heap);
  Formatter(out, heap).Print(value);
  return out.Take();
}

}  // namespace escagent::gotemplate
