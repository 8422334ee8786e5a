/** The Dockerfile: its order, and the commands in it that a shell can run here. */
import { assert, describe, it } from "@effect/vitest"
import { spawn, spawnSync } from "node:child_process"
import { globSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { createServer } from "node:http"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import * as Generate from "../../../src/deployment/generate/Generate.ts"
import { healthCommand } from "../../../src/deployment/generate/health.ts"
import { ocr } from "./descriptions.ts"

const contents = (options: Generate.DockerfileOptions = {}) =>
  new Map(Generate.dockerfile(ocr, options).map(({ content, path }) => [path, content]))

const dockerfile = (options?: Generate.DockerfileOptions) => contents(options).get("Dockerfile") ?? ""

/** The instructions, each on one line. */
const instructions = (text: string) => text.replace(/\\\n\s*/g, "").split("\n").filter((line) => /^[A-Z]/.test(line))

describe("the Dockerfile", () => {
  it("copies dependencies, then models, then the program, each its own layer", () => {
    const copies = instructions(dockerfile({ models: ["models", "more models"], sources: ["src"] })).filter((line) =>
      line.startsWith("COPY")
    )
    assert.deepStrictEqual(copies, [
      "COPY package.json package-lock.json ./",
      "COPY --from=dependencies /app/node_modules ./node_modules",
      "COPY [\"models\", \"./models\"]",
      "COPY [\"more models\", \"./more models\"]",
      "COPY package.json chorale.yaml* *.ts ./",
      "COPY [\"src\", \"./src\"]"
    ])
    assert.notInclude(dockerfile({ models: [] }), "models")
  })

  it("installs without what is for development, and lets no script fetch CUDA", () => {
    const lines = instructions(dockerfile())
    const install = lines.findIndex((line) => line.includes("npm ci --omit=dev"))
    assert.isAbove(install, lines.indexOf("ENV ONNXRUNTIME_NODE_INSTALL=skip"))
    assert.isAbove(lines.indexOf("ENV ONNXRUNTIME_NODE_INSTALL=skip"), -1)
  })

  it("removes the binaries of ONNX Runtime for other platforms, wherever it is installed, and nothing else", () => {
    const folder = mkdtempSync(join(tmpdir(), "dockerfile-"))
    try {
      const arch = process.arch
      const other = arch === "x64" ? "arm64" : "x64"
      const under = ["node_modules/onnxruntime-node", "node_modules/a/node_modules/onnxruntime-node"]
      const binaries = [`linux/${arch}`, `linux/${other}`, `darwin/${arch}`, "darwin/arm64", "win32/x64", "win32/arm64"]
      const files = [
        ...under.flatMap((path) => [
          `${path}/package.json`,
          ...binaries.map((binary) => `${path}/bin/napi-v6/${binary}/onnxruntime_binding.node`)
        ]),
        "node_modules/other/bin/napi-v6/win32/x64/a.node"
      ]
      for (const file of files) {
        mkdirSync(join(folder, dirname(file)), { recursive: true })
        writeFileSync(join(folder, file), "")
      }
      const command = instructions(dockerfile()).find((line) => line.includes("onnxruntime-node")) ?? ""
      const { status, stderr } = spawnSync("sh", ["-c", command.replace(/^RUN /, "")], {
        cwd: folder,
        encoding: "utf8",
        env: { PATH: `${dirname(process.execPath)}:${process.env["PATH"]}` }
      })
      assert.deepStrictEqual([status, stderr], [0, ""])
      assert.deepStrictEqual(
        globSync("node_modules/**/*.{json,node}", { cwd: folder }).toSorted(),
        [
          ...under.flatMap((
            path
          ) => [`${path}/bin/napi-v6/linux/${arch}/onnxruntime_binding.node`, `${path}/package.json`]),
          "node_modules/other/bin/napi-v6/win32/x64/a.node"
        ].toSorted()
      )
    } finally {
      rmSync(folder, { recursive: true })
    }
  })

  it("runs as another user than root, with Node as the process that gets the signals", () => {
    const lines = instructions(dockerfile({ port: 4000 }))
    assert.isAbove(lines.indexOf("USER node"), lines.findLastIndex((line) => line.startsWith("COPY")))
    assert.strictEqual(
      lines.at(-1),
      "CMD [\"node\", \"node_modules/.bin/chorale\", \"serve\", \"--host\", \"0.0.0.0\", \"--port\", \"4000\"]"
    )
    assert.include(dockerfile({ port: 4000 }), "127.0.0.1:4000/readyz")
  })

  it("leaves out of the image what holds secrets", () => {
    const ignored = (contents().get(".dockerignore") ?? "").split("\n")
    assert.includeMembers(ignored, [".*", "**/.env*", "**/*.key", "**/*.pem", "**/node_modules"])
    assert.notInclude(ignored.join(), "!")
  })
})

describe("the command of a health check", () => {
  it("succeeds where the server is ready, and fails where it is not or is not there", async () => {
    let status = 200
    const server = createServer((request, response) => {
      response.statusCode = request.url === "/readyz" ? status : 404
      response.end()
    })
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
    const address = server.address()
    const port = typeof address === "object" && address !== null ? address.port : 0
    const check = () =>
      new Promise<number | null>((resolve) => {
        const [, ...words] = healthCommand(port)
        spawn(process.execPath, words, { stdio: "ignore" }).once("exit", resolve)
      })
    assert.strictEqual(await check(), 0)
    status = 503
    assert.strictEqual(await check(), 1)
    await new Promise((resolve) => server.close(resolve))
    assert.strictEqual(await check(), 1)
  })
})
