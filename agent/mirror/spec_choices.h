#pragma once

#include <array>
#include <string_view>
#include <utility>

#include "agent/mirror/external_secret_spec.h"

namespace escagent::mirror {

// The names of the enumerations in external-secrets.io's objects, for SpecReader::Choice().

template <class E, std::size_t N>
using Choices = std::array<std::pair<std::string_view, E>, N>;

inline constexpr Choices<RefreshPolicy, 3> kRefreshPolicies = {
    {{"Periodic", RefreshPolicy::kPeriodic},
     {"OnChange", RefreshPolicy::kOnChange},
     {"CreatedOnce", RefreshPolicy::kCreatedOnce}}};
inline constexpr Choices<CreationPolicy, 5> kCreationPolicies = {
    {{"Owner", CreationPolicy::kOwner},
     {"Orphan", CreationPolicy::kOrphan},
     {"Merge", CreationPolicy::kMerge},
     {"None", CreationPolicy::kNone},
     {"CreateOrMerge", CreationPolicy::kCreateOrMerge}}};
inline constexpr Choices<DeletionPolicy, 3> kDeletionPolicies = {
    {{"Retain", DeletionPolicy::kRetain},
     {"Delete", DeletionPolicy::kDelete},
     {"Merge", DeletionPolicy::kMerge}}};
inline constexpr Choices<ConversionStrategy, 2> kConversionStrategies = {
    {{"Default", ConversionStrategy::kDefault}, {"Unicode", ConversionStrategy::kUnicode}}};
inline constexpr Choices<DecodingStrategy, 4> kDecodingStrategies = {
    {{"None", DecodingStrategy::kNone},
     {"Base64", DecodingStrategy::kBase64},
     {"Base64URL", DecodingStrategy::kBase64Url},
     {"Auto", DecodingStrategy::kAuto}}};
inline constexpr Choices<NullBytePolicy, 2> kNullBytePolicies = {
    {{"Ignore", NullBytePolicy::kIgnore}, {"Fail", NullBytePolicy::kFail}}};
inline constexpr Choices<MergeRewrite::Strategy, 2> kMergeStrategies = {
    {{"Extract", MergeRewrite::Strategy::kExtract}, {"JSON", MergeRewrite::Strategy::kJson}}};
inline constexpr Choices<TemplateScope, 2> kTemplateScopes = {
    {{"Values", TemplateScope::kValues}, {"KeysAndValues", TemplateScope::kKeysAndValues}}};
inline constexpr Choices<TemplateMergePolicy, 2> kTemplateMergePolicies = {
    {{"Replace", TemplateMergePolicy::kReplace}, {"Merge", TemplateMergePolicy::kMerge}}};
inline constexpr Choices<store::StoreKind, 2> kStoreKinds = {
    {{"SecretStore", store::StoreKind::kSecretStore},
     {"ClusterSecretStore", store::StoreKind::kClusterSecretStore}}};

}  // namespace escagent::mirror
