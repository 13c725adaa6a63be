#pragma once

/// The paths of the wire contract's calls, for those who offer and those who call them. Messages: the .proto
/// files beside this one.
namespace towline::method {

inline constexpr const char* kConnect = "/gitlab.agent.reverse_tunnel.rpc.ReverseTunnel/Connect";
inline constexpr const char* kGetConfiguration =
    "/gitlab.agent.agent_configuration.rpc.AgentConfiguration/GetConfiguration";
inline constexpr const char* kRegister = "/gitlab.agent.agent_registrar.rpc.AgentRegistrar/Register";
inline constexpr const char* kUnregister = "/gitlab.agent.agent_registrar.rpc.AgentRegistrar/Unregister";
inline constexpr const char* kMakeRequest = "/gitlab.agent.kubernetes_api.rpc.KubernetesApi/MakeRequest";
inline constexpr const char* kExamine = "/towline.doctor.rpc.Doctor/Examine";

}  // namespace towline::method
