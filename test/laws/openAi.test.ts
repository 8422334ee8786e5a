import { holdToLaws } from "./holdToLaws.ts"
import { openAi } from "./remotes.ts"

holdToLaws("a server of OpenAI's embeddings", openAi)
