#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>

#include "base/json.h"
#include "base/strings.h"
#include "tests/fakes/apiserver/handlers.h"

namespace escagent::apiserver {
namespace {

using nlohmann::json;

constexpr const char* kContinueExpired =
    "The provided continue parameter is too old to display a consistent list result. You can start "
    "a new list without the continue parameter, or use the continue token in this response to "
    "retrieve the remainder of the results. Continuing with the provided token results in an "
    "inconsistent list - objects that were created, modified, or deleted between the time the "
    "first "
    "chunk was returned and now may show up in the list.";

// Where a list that is read in pieces goes on.
struct Continuation {
  std::int64_t revision = 0;  // -1: whatever there is now
  std::string after;          // the key of the last object sent
};

std::string KeyOf(const Object& object) { return object.name_space() + "/" + object.name(); }

// Base64 for URLs without padding, as the real server writes it.
std::string EncodeContinuation(const Continuation& where) {
  SecretBuilder encoded;
  EncodeBase64(DumpJson({{"v", "meta.k8s.io/v1"}, {"rv", where.revision}, {"start", where.after}}),
               encoded);
  std::string text(encoded.Reveal());
  std::replace(text.begin(), text.end(), '+', '-');
  std::replace(text.begin(), text.end(), '/', '_');
  while (text.ends_with('=')) text.pop_back();
  return text;
}

Outcome<Continuation> DecodeContinuation(std::string text) {
  std::replace(text.begin(), text.end(), '-', '+');
  std::replace(text.begin(), text.end(), '_', '/');
  while (text.size() % 4 != 0) text += '=';
  const auto bytes = DecodeBase64(text);
  const json document =
      bytes ? json::parse(bytes->Reveal(), nullptr, /*allow_exceptions=*/false) : json();
  if (!document.is_object() || document.value("v", "") != "meta.k8s.io/v1") {
    return Fail(BadRequest("continue key is not valid: illegal base64 data or unknown version"));
  }
  return Continuation{.revision = document.value("rv", std::int64_t{0}),
                      .after = document.value("start", "")};
}

std::string SnapshotKey(const Context& context, std::int64_t revision) {
  return context.resource->Table() + "|" + context.info.name_space + "|" +
         Parameter(context.http, "labelSelector") + "|" + Parameter(context.http, "fieldSelector") +
         "|" + std::to_string(revision);
}

Outcome<std::size_t> ReadLimit(const Context& context) {
  const std::string text = Parameter(context.http, "limit");
  std::size_t limit = 0;
  if (text.empty()) return limit;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), limit);
  if (error != std::errc() || end != text.data() + text.size()) {
    return Fail(BadRequest("invalid limit \"" + text + "\""));
  }
  return limit;
}

// A list may ask for a state: a newer one than there is, or exactly one that has passed.
Done CheckRevision(const Context& context) {
  const std::string text = Parameter(context.http, "resourceVersion");
  const std::string match = Parameter(context.http, "resourceVersionMatch");
  if (text.empty()) {
    if (match.empty()) return {};
    return Fail(Invalid({.group = "meta.k8s.io", .resource = "", .kind = "ListOptions", .name = ""},
                        {{.reason = "FieldValueForbidden",
                          .message = "Forbidden: resourceVersionMatch is forbidden unless "
                                     "resourceVersion is provided",
                          .field = "resourceVersionMatch"}}));
  }
  std::uint64_t revision = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), revision);
  if (error != std::errc() || end != text.data() + text.size()) {
    return Fail(BadRevision(text));
  }
  const std::uint64_t now = context.backend.store.Revision();
  if (revision > now) {
    ApiError error_status{.code = 504, .reason = "Timeout"};
    error_status.message =
        "Timeout: Too large resource version: " + text + ", current: " + std::to_string(now);
    error_status.details = {
        {"causes",
         {{{"reason", "ResourceVersionTooLarge"}, {"message", "Too large resource version"}}}}};
    error_status.retry_after_seconds = 1;
    return Fail(std::move(error_status));
  }
  if (match == "Exact" && context.backend.store.LastChange(context.resource->Table()) > revision) {
    return Fail(Expired("The resourceVersion for the provided list is too old."));
  }
  return {};
}

struct Page {
  std::shared_ptr<const Store::Snapshot> snapshot;
  std::size_t begin = 0, end = 0;
  std::uint64_t revision = 0;
};

Outcome<Page> ContinuePage(Context& context, const Selector& selector, std::size_t limit) {
  API_ASSIGN_OR_RETURN(const Continuation where,
                       DecodeContinuation(Parameter(context.http, "continue")));
  Page page;
  if (where.revision >= 0) {
    page.snapshot = context.backend.store.Kept(SnapshotKey(context, where.revision));
    if (page.snapshot == nullptr) {
      ApiError error = Expired(kContinueExpired);
      error.continue_token = EncodeContinuation({.revision = -1, .after = where.after});
      return Fail(std::move(error));
    }
  } else {
    page.snapshot = std::make_shared<const Store::Snapshot>(
        context.backend.store.List(context.resource->Table(), selector));
  }
  const auto& objects = page.snapshot->objects;
  const auto first = std::upper_bound(
      objects.begin(), objects.end(), where.after,
      [](const std::string& key, const ObjectPtr& object) { return key < KeyOf(*object); });
  page.begin = static_cast<std::size_t>(first - objects.begin());
  page.end = limit == 0 ? objects.size() : std::min(objects.size(), page.begin + limit);
  page.revision = page.snapshot->revision;
  return page;
}

Outcome<Page> MakePage(Context& context) {
  API_ASSIGN_OR_RETURN(const Selector selector,
                       Selector::Parse(*context.resource, context.info.name_space,
                                       Parameter(context.http, "labelSelector"),
                                       Parameter(context.http, "fieldSelector")));
  API_ASSIGN_OR_RETURN(const std::size_t limit, ReadLimit(context));
  if (!Parameter(context.http, "continue").empty()) return ContinuePage(context, selector, limit);
  API_RETURN_IF_ERROR(CheckRevision(context));
  Page page;
  page.snapshot = std::make_shared<const Store::Snapshot>(
      context.backend.store.List(context.resource->Table(), selector));
  page.revision = page.snapshot->revision;
  page.end = page.snapshot->objects.size();
  if (limit > 0 && limit < page.end) {
    page.end = limit;
    context.backend.store.Keep(SnapshotKey(context, static_cast<std::int64_t>(page.revision)),
                               page.snapshot);
  }
  return page;
}

void AppendHead(const Context& context, const Page& page, std::string& text) {
  const Resource& resource = *context.resource;
  const bool partial = context.form == Form::kPartialMetadata;
  text += R"({"kind":")" + (partial ? "PartialObjectMetadataList" : resource.list_kind);
  text += R"(","apiVersion":")" + (partial ? "meta.k8s.io/v1" : resource.ApiVersion());
  text += R"(","metadata":{"resourceVersion":")" + std::to_string(page.revision) + '"';
  const auto& objects = page.snapshot->objects;
  if (page.end < objects.size()) {
    text += R"(,"continue":")" +
            EncodeContinuation({.revision = static_cast<std::int64_t>(page.revision),
                                .after = KeyOf(*objects[page.end - 1])}) +
            '"';
    // Unknown when selectors leave some out.
    if (Parameter(context.http, "labelSelector").empty() &&
        Parameter(context.http, "fieldSelector").empty()) {
      text += ",\"remainingItemCount\":" + std::to_string(objects.size() - page.end);
    }
  }
  text += "},\"items\":[";
}

}  // namespace

Done HandleGet(Context& context) {
  const ObjectPtr object = context.backend.store.Get(
      context.resource->Table(), context.resource->namespaced ? context.info.name_space : "",
      context.info.name);
  if (object == nullptr) return Fail(NotFoundError(context.resource->Name(context.info.name)));
  SendObject(context, 200, *object);
  return {};
}

Done HandleList(Context& context) {
  API_ASSIGN_OR_RETURN(const Page page, MakePage(context));
  std::string text;
  AppendHead(context, page, text);
  const std::string version = context.resource->ApiVersion();
  for (std::size_t i = page.begin; i < page.end; ++i) {
    if (i > page.begin) text += ',';
    const Object& object = *page.snapshot->objects[i];
    if (context.form == Form::kPartialMetadata) {
      object.AppendPartial(text);
    } else if (context.resource->custom) {
      object.Append(version, text);
    } else {
      object.AppendBare(text);
    }
  }
  text += "]}";
  SendText(context.response, 200, std::move(text));
  return {};
}

}  // namespace escagent::apiserver
