#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include "base/encoding.h"
#include "kube/exec_plugin.h"
#include "kube/rfc3339.h"

namespace towline::kube {
namespace {

namespace json = boost::json;

constexpr std::string_view kKind = "ExecCredential";

json::object cluster_object(const ExecCluster& cluster) {
  json::object object;
  object["server"] = cluster.server;
  if (!cluster.tls_server_name.empty()) object["tls-server-name"] = cluster.tls_server_name;
  if (cluster.insecure_skip_tls_verify) object["insecure-skip-tls-verify"] = true;
  if (!cluster.ca.empty()) object["certificate-authority-data"] = base64_encode(cluster.ca);
  if (!cluster.config.empty()) object["config"] = json::parse(cluster.config);
  return object;
}

/// A field that is text; absent and null are the same. Nothing when it is something else.
std::optional<std::string> text_field(const json::object& object, std::string_view name) {
  const json::value* value = object.if_contains(name);
  if (value == nullptr || value->is_null()) return std::string();
  if (!value->is_string()) return std::nullopt;
  return std::string(value->get_string());
}

std::unexpected<Status> bad(std::string message) { return fail(Code::kUnauthenticated, std::move(message)); }

Result<ExecCredential> read_status(const json::object& status) {
  const auto token = text_field(status, "token");
  const auto certificate = text_field(status, "clientCertificateData");
  auto key = text_field(status, "clientKeyData");
  const auto expires = text_field(status, "expirationTimestamp");
  if (!token || !certificate || !key || !expires) return bad("a field of its status is not text");
  if (token->empty() && certificate->empty() && key->empty()) {
    return bad("it gave neither a token nor a certificate");
  }
  if (certificate->empty() != key->empty()) return bad("it gave only one of certificate and key");
  ExecCredential credential;
  credential.token = Secret(*token);
  if (!certificate->empty()) {
    credential.identity = io::TlsIdentity{*certificate, Secret(std::move(*key))};
  }
  if (!expires->empty()) {
    credential.expires = parse_rfc3339(*expires);
    if (!credential.expires) return bad("expirationTimestamp is not a date of RFC 3339");
  }
  return credential;
}

}  // namespace

std::string exec_info(const std::string& api_version, const ExecCluster* cluster) {
  json::object spec;
  spec["interactive"] = false;
  if (cluster != nullptr) spec["cluster"] = cluster_object(*cluster);
  json::object info;
  info["kind"] = kKind;
  info["apiVersion"] = api_version;
  info["spec"] = std::move(spec);
  return json::serialize(info);
}

Result<ExecCredential> parse_exec_credential(std::string_view text, const std::string& api_version) {
  json::error_code error;
  const json::value document = json::parse({text.data(), text.size()}, error);
  if (error) return bad("its output is not JSON");
  const json::object* object = document.if_object();
  if (object == nullptr) return bad("its output is not a JSON object");
  if (text_field(*object, "kind") != kKind) return bad("its output is not an ExecCredential");
  if (text_field(*object, "apiVersion") != api_version) {
    return bad("its output is not of the apiVersion " + api_version + " that the kubeconfig names");
  }
  const json::value* status = object->if_contains("status");
  if (status == nullptr || !status->is_object()) return bad("its output has no status");
  return read_status(status->get_object());
}

}  // namespace towline::kube
