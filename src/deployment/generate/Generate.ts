/**
 * Files with which a deployment runs elsewhere: on docker compose, on Kubernetes, on KServe.
 *
 * All are made from the description of the deployment, in which every override is applied, and nothing is written: each
 * is a path and a text, the same for the same description.
 *
 * **Example** (The manifests of two units)
 *
 * ```ts
 * import { Deployment, Generate, Model } from "chorale"
 * import { Effect, Schema } from "effect"
 * import { Rpc } from "effect/rpc"
 *
 * class Reader extends Model.Service<Reader>()("ocr/Reader", [Rpc.make("read", { success: Schema.String })]) {}
 * class Ocr extends Model.Service<Ocr>()("ocr/Ocr", [Rpc.make("all", { success: Schema.String })]) {}
 *
 * const deployment = Deployment.make("ocr", {
 *   reader: Deployment.unit(Reader, Reader.toLayer({ read: () => Effect.succeed("text") }), { replicas: 2 }),
 *   ocr: Deployment.unit(Ocr, Ocr.toLayer(Effect.map(Reader, (reader) => ({ all: () => reader.read() }))), {
 *     dependsOn: [Reader],
 *     expose: true
 *   })
 * })
 *
 * export const files = Effect.map(
 *   Deployment.check(deployment),
 *   (description) => Generate.kubernetes(description, { image: "registry.example.com/ocr:1.2.0" })
 * )
 * ```
 *
 * @since 0.2.0
 */
export { compose, type ComposeOptions } from "./compose.ts"
export { dockerfile, type DockerfileOptions } from "./dockerfile.ts"
export type { ContainerOptions, File } from "./file.ts"
export { kserve } from "./kserve.ts"
export { kubernetes } from "./kubernetes.ts"
export type { KubernetesOptions } from "./kubernetes/target.ts"
