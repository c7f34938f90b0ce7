#include "kube/object.h"

#include "base/json.h"
#include "base/json_fields.h"

namespace escagent::kube {
namespace {

const nlohmann::json& Metadata(const nlohmann::json& object) { return Member(object, "metadata"); }

}  // namespace

Object& Object::operator=(Object&& other) noexcept {
  if (this != &other) {
    Scrub(json_);
    json_ = std::move(other.json_);
  }
  return *this;
}

Object::~Object() { Scrub(json_); }

ObjectKey Object::Key() const { return {Namespace(), Name()}; }
std::string Object::Name() const { return StringMember(Metadata(json_), "name"); }
std::string Object::Namespace() const { return StringMember(Metadata(json_), "namespace"); }
std::string Object::Uid() const { return StringMember(Metadata(json_), "uid"); }
std::string Object::ResourceVersion() const {
  return StringMember(Metadata(json_), "resourceVersion");
}
std::int64_t Object::Generation() const { return IntegerMember(Metadata(json_), "generation"); }

}  // namespace escagent::kube
