#pragma once

#include <chrono>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/fakes/apiserver/api_status.h"
#include "tests/fakes/apiserver/resource.h"

namespace escagent::apiserver {

// A random uid (RFC 4122 version 4) and the random end of a generateName.
std::string MakeUid();
std::string MakeNameSuffix();

// "2026-11-24T14:05:09Z", as metav1.Time.
std::string Timestamp();

// Adds what is wrong with the name, the labels, the annotations and the finalizers.
void CheckMeta(const Resource& resource, const nlohmann::json& metadata,
               std::vector<FieldCause>& causes);

// Makes the metadata of a new object: uid, creationTimestamp, generation; drops what only the
// server may set.
void StampNew(const Resource& resource, nlohmann::json& metadata);

// Takes over from the object before what an update cannot change.
void CarryOver(const nlohmann::json& before, nlohmann::json& metadata);

// Whether changes of the spec are counted in metadata.generation.
bool HasGeneration(const Resource& resource);

// Which finalizers an update may not add, as the object is being deleted.
void CheckFinalizers(const nlohmann::json& before, const nlohmann::json& metadata,
                     std::vector<FieldCause>& causes);

}  // namespace escagent::apiserver
