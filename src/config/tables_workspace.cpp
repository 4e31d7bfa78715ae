#include <fmt/format.h>

#include <sluice/normalise/time_zone.hpp>

#include "kinds.hpp"
#include "tables.hpp"
#include "text_checks.hpp"

namespace sluice::config {

namespace {

// The name of a zone of the time zone database.
struct ZoneName : Text {
  [[nodiscard]] static std::string schema() { return R"("type": "string")"; }
  [[nodiscard]] static std::optional<std::string> read(const Place& at) {
    auto name = at.text();
    if (name && !normalise::TimeZone::find(*name)) {
      at.mistake("is no zone that is known",
                 "write an IANA name such as Europe/Warsaw; the package tzdata has them");
    }
    return name;
  }
};

}  // namespace

template <>
const Table<Workspace>& table<Workspace>() {
  static const Table<Workspace> rows{
      "workspace",
      required_map,
      {
          key("name", &Workspace::name, Text{defined("name")}, "Unique. A label in metrics.")
              .default_is(R"("default")"),
          key("base_url", &Workspace::base_url,
              Text{R"("anyOf": [{"type": "string", "pattern": "^https?://[^/?#@]+/?$"}, )"
                   R"({"$ref": "#/$defs/variable"}])"},
              "The API of your region: `http://` or `https://`, a host, perhaps a port; no path.")
              .restart()
              .title("URL")
              .examples(R"("https://api.azu.synerise.com", "https://api.geb.synerise.com")"),
          key("ca_file", &Workspace::ca_file, ReadableFile{},
              "PEM: authorities to trust instead of the system's.")
              .optional("none")
              .restart(),
          key("allow_plaintext", &Workspace::allow_plaintext, Flag{},
              "Needed for an `http://` URL beyond loopback, as the credentials travel in clear.")
              .quietly(),
          key("auth", &Workspace::auth, Map<Auth>{}, "The credentials at Synerise.")
              .required()
              .each_key(),
          key("validation", &Workspace::validation, one_of(validation_names),
              "What is asked of an event. `api`: only what cannot be delivered, or what no reading "
              "of any public source lets pass, is refused. `strict`: all that the vendor's "
              "documents and SDK ask for. `lenient` is an older word for `api`.")
              .see("[Levels](validation.md#levels)"),
          key("time_zone", &Workspace::time_zone, ZoneName{},
              "The zone of times that do not say theirs.")
              .see("[Time](validation.md#time)")
              .title("IANA name")
              .examples(R"("Europe/Warsaw")"),
          key("partial_status", &Workspace::partial_status, one_of(partial_status_names),
              "The status of a request of which some events were accepted and some rejected.")
              .see("[Partial acceptance](ingest-api.md#partial-acceptance)"),
          key("generated_salts", &Workspace::generated_salts, Flag{},
              "Gives each event without an `eventSalt` one. Without salts a repeated delivery "
              "counts twice."),
          key("actions", &Workspace::actions,
              Texts{is_action, "an action: 1 to 32 letters, digits, '.', '-' or '_'",
                    R"("type": ["array", "null"], "items": {"anyOf": [{"type": ["string", )"
                    R"("number", "boolean"], "pattern": "^[a-zA-Z0-9._-]{1,32}$"}, {"$ref": )"
                    R"("#/$defs/variable"}]})"},
              "The custom actions that are let through. Empty: any. Each 1 to 32 letters, digits, "
              "`.`, `-`, `_`.")
              .title("list")
              .examples(R"(["order.placed", "order.shipped"])"),
          key("passthrough", &Workspace::passthrough, Flag{},
              "Passes other API calls through to `base_url`.")
              .see("[Other calls](ingest-api.md#other-calls-pass-through)"),
      }};
  return rows;
}

template <>
const Table<Auth>& table<Auth>() {
  static const Table<Auth> rows{
      "auth",
      R"("type": "object", "oneOf": [{"required": ["api_key"]}, {"required": ["api_key_file"]}])",
      {
          key("method", &Auth::method, one_of(auth_method_names),
              "`basic`: GUID and key with each request, which must be enabled for the key. `jwt`: "
              "logs in with the key, and again before the token expires.")
              .by_hand()
              .restart(),
          key("workspace_guid", &Auth::workspace_guid,
              Text{R"("anyOf": [{"type": "string", "pattern": )"
                   R"("^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$"}, {"$ref": )"
                   R"("#/$defs/variable"}])"},
              "The workspace's GUID.")
              .optional("required for `basic`")
              .restart()
              .title("UUID")
              .examples(R"("01234567-89ab-cdef-0123-456789abcdef")"),
          secret_key(
              "api_key", &Auth::api_key,
              "May create events and transactions. The file is read again when it is replaced, and "
              "when the API refuses the credentials: a new key takes effect without a restart.")
              .without_it("one of these"),
          secret_file_key<Auth>(
              "api_key",
              " It is read again when it is replaced, and when the API refuses the credentials.")
              .examples(R"("/run/secrets/synerise_api_key")"),
      }};
  return rows;
}

}  // namespace sluice::config
