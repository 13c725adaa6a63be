// The life of an agent by @gitbeaker/rest. Reads TOWLINE_URL, TOWLINE_TOKEN and, so that the package is found in a
// folder outside the source tree, TOWLINE_MODULES.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const require = createRequire(process.env.TOWLINE_MODULES + "/");
const { Gitlab } = await import(pathToFileURL(require.resolve("@gitbeaker/rest")));
const api = new Gitlab({ host: process.env.TOWLINE_URL, token: process.env.TOWLINE_TOKEN });

const refused = async (promise, status) => {
  const error = await promise.then(() => null, (failure) => failure);
  assert.ok(error, "nothing was refused");
  assert.equal(error.cause?.response?.status, status, error.message);
};

const me = await api.Users.showCurrentUser();
assert.equal(me.username, "root");
const group = await api.Groups.create("Crew", "crew");
const project = await api.Projects.create({ name: "App", path: "app", namespaceId: group.id });
assert.equal(project.path_with_namespace, "crew/app");
const person = await api.Users.create({ username: "grace", name: "Grace", email: "grace@example.com", password: "correct horse" });
await api.ProjectMembers.add(project.id, 30, { userId: person.id });
assert.deepEqual((await api.ProjectMembers.all(project.id)).map((member) => member.username), ["grace"]);

const path = ".gitlab/agents/prod/config.yaml";
await api.RepositoryFiles.create(project.id, path, "main", "user_access: {access_as: {agent: {}}}\n", "Configure");
const file = await api.RepositoryFiles.show(project.id, path, "main");
assert.match(Buffer.from(file.content, "base64").toString(), /^user_access/);
await api.Commits.create(project.id, "main", "Two", [
  { action: "create", filePath: "a", content: "a" },
  { action: "update", filePath: path, content: "user_access: {access_as: {user: {}}}\n" },
]);

const agent = await api.Agents.register(project.id, "prod");
assert.equal(agent.config_project.path_with_namespace, "crew/app");
await refused(api.Agents.register(project.id, "Not a label"), 400);
// Agents.createToken of this package asks by GET, which makes a token nowhere: its requester does it right.
const createToken = async (body) =>
  (await api.Agents.requester.post(`projects/${project.id}/cluster_agents/${agent.id}/tokens`, { body })).body;
const token = await createToken({ name: "one", description: "first" });
assert.match(token.token, /^glagent-/);
await createToken({ name: "two" });
await refused(createToken({ name: "three" }), 400);
assert.equal((await api.Agents.showToken(project.id, agent.id, token.id)).description, "first");
await api.Agents.removeToken(project.id, agent.id, token.id);
assert.deepEqual((await api.Agents.allTokens(project.id, agent.id)).map((each) => each.name), ["two"]);

const urls = `projects/${project.id}/cluster_agents/${agent.id}/url_configurations`; // for which it has no class
const { body: url } = await api.Agents.requester.post(urls, { body: { url: "grpcs://agent.example.com:443" } });
assert.ok(url.public_key && (await api.Agents.show(project.id, agent.id)).is_receptive);
await api.Agents.requester.delete(`${urls}/${url.id}`);
assert.equal((await api.Agents.show(project.id, agent.id)).is_receptive, false);

const tomorrow = new Date(Date.now() + 86400_000).toISOString().slice(0, 10);
const bot = await api.ProjectAccessTokens.create(project.id, "ci", ["read_api"], tomorrow, { accessLevel: 30 });
const asBot = new Gitlab({ host: process.env.TOWLINE_URL, token: bot.token });
assert.equal((await asBot.Projects.show(project.id)).id, project.id);
await refused(asBot.Agents.register(project.id, "by-bot"), 403);
await api.ProjectAccessTokens.revoke(project.id, bot.id);
await refused(asBot.Projects.show(project.id), 401);

const own = await api.PersonalAccessTokens.create(person.id, "laptop", ["read_api"], { expiresAt: tomorrow });
const asGrace = new Gitlab({ host: process.env.TOWLINE_URL, token: own.token });
assert.equal((await asGrace.Users.showCurrentUser()).username, "grace");
assert.deepEqual((await asGrace.PersonalAccessTokens.all()).map((each) => each.name), ["laptop"]);
await api.PersonalAccessTokens.remove({ tokenId: own.id });
await refused(asGrace.Users.showCurrentUser(), 401);

const environment = await api.Environments.create(project.id, "production", { externalUrl: "https://a.example.com" });
assert.equal(environment.slug, "production");
await api.Environments.stop(project.id, environment.id);
await api.Environments.remove(project.id, environment.id);
await api.ProtectedBranches.protect(project.id, "release/*", { pushAccessLevel: 40 });
assert.deepEqual((await api.ProtectedBranches.all(project.id)).map((rule) => rule.name).sort(), ["main", "release/*"]);
await api.ProtectedBranches.unprotect(project.id, "release/*");

for (let i = 0; i < 25; ++i) await api.Agents.register(project.id, `more-${i}`);
assert.equal((await api.Agents.all(project.id)).length, 26); // over more than one page

await api.Agents.unregister(project.id, agent.id);
await refused(api.Agents.show(project.id, agent.id), 404);
await api.Projects.remove(project.id);
await refused(api.Projects.show("crew/app"), 404);
await api.Groups.remove(group.id);
console.log("done");
