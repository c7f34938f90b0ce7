#include "agent/mirror/object_meta.h"

#include "base/json_fields.h"

namespace escagent::mirror {

ObjectMeta ReadObjectMeta(const nlohmann::json& object) {
  const nlohmann::json& metadata = Member(object, "metadata");
  return {.namespace_name = StringMember(metadata, "namespace"),
          .name = StringMember(metadata, "name"),
          .uid = StringMember(metadata, "uid"),
          .resource_version = StringMember(metadata, "resourceVersion"),
          .generation = IntegerMember(metadata, "generation"),
          .deleting = !StringMember(metadata, "deletionTimestamp").empty(),
          .finalizers = StringsMember(metadata, "finalizers"),
          .labels = ReadStringMap(Member(metadata, "labels")),
          .annotations = ReadStringMap(Member(metadata, "annotations"))};
}

bool SameButStatus(const ObjectMeta& a, const ObjectMeta& b) {
  return a.uid == b.uid && a.generation == b.generation && a.labels == b.labels &&
         a.annotations == b.annotations && a.deleting == b.deleting && a.finalizers == b.finalizers;
}

}  // namespace escagent::mirror
