/** The validators let unknown fields pass, the compiler does not: objects as literals of the types of Kubernetes. */
import { assert, describe, it } from "@effect/vitest"
import { spawnSync } from "node:child_process"
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import * as Generate from "../../../src/deployment/generate/Generate.ts"
import { anyDeployment, ocr } from "./descriptions.ts"
import { objectsOf, type Value } from "./objects.ts"

const root = fileURLToPath(new URL("../../../", import.meta.url))
const compiler = fileURLToPath(new URL("./bin/tsc", import.meta.resolve("typescript/package.json")))

const modules: Readonly<Record<string, string>> = {
  ConfigMap: "kubernetes-models/v1",
  Deployment: "kubernetes-models/apps/v1",
  HorizontalPodAutoscaler: "kubernetes-models/autoscaling/v2",
  Namespace: "kubernetes-models/v1",
  NetworkPolicy: "kubernetes-models/networking.k8s.io/v1",
  PodDisruptionBudget: "kubernetes-models/policy/v1",
  ScaledObject: "@kubernetes-models/keda/keda.sh/v1alpha1",
  Service: "kubernetes-models/v1",
  ServiceAccount: "kubernetes-models/v1"
}

const compile = (objects: ReadonlyArray<Value>): string => {
  mkdirSync(join(root, "coverage"), { recursive: true })
  const folder = mkdtempSync(join(root, "coverage", "manifests-"))
  const lines = objects.filter(({ kind }) => kind in modules).map((object, index) =>
    `export const object${index}: import("${modules[object.kind]}").I${object.kind} = ${JSON.stringify(object)}`
  )
  try {
    writeFileSync(
      join(folder, "tsconfig.json"),
      JSON.stringify({ extends: "../../tsconfig.json", include: ["*.ts"], exclude: [] })
    )
    writeFileSync(join(folder, "manifests.ts"), `${lines.join("\n")}\n`)
    const { stderr, stdout } = spawnSync(process.execPath, [compiler, "--project", folder, "--pretty", "false"], {
      cwd: folder,
      encoding: "utf8",
      timeout: 60_000
    })
    return stdout + stderr
  } finally {
    rmSync(folder, { recursive: true })
  }
}

describe("a manifest", () => {
  it("has no field that its kind does not have", () => {
    const descriptions = [ocr, ...Array.from({ length: 5 }, (_, seed) => anyDeployment(seed))]
    const objects = descriptions.flatMap((description) =>
      objectsOf(Generate.kubernetes(description, { lookup: true, telemetry: "http://collector:4318" }))
    )
    for (const kind of Object.keys(modules)) assert.isTrue(objects.some((object) => object.kind === kind), kind)
    assert.strictEqual(compile(objects), "")
  })

  it("is noticed when it has one", () => {
    const object = { apiVersion: "v1", kind: "ServiceAccount", metadata: { name: "a" }, automountToken: false }
    assert.include(compile([object]), "automountToken")
  })
})
