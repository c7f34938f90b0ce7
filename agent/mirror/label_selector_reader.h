#pragma once

#include "agent/mirror/spec_reader.h"
#include "agent/store/label_selector.h"

namespace escagent::mirror {

// Reads a LabelSelector (meta/v1): matchLabels and matchExpressions of `fields`.
store::LabelSelector ReadLabelSelector(const SpecReader& fields);

}  // namespace escagent::mirror
