"""Hand-written questions and answers about this server and the field, in English and Chinese."""

import random
from typing import NamedTuple

ALSO_SHARE, BARE_SHARE, TYPO_SHARE = 0.3, 0.3, 0.04
SHORTEST_WITH_TYPO = 8


class Entry(NamedTuple):
    """A term with its answer in each language."""

    term: str
    answer: str
    term_zh: str
    answer_zh: str
    also: tuple[str, ...] = ()  # abbreviations and other names
    also_zh: tuple[str, ...] = ()

    def said(self, rng: random.Random, *, zh: bool) -> str:
        """The term as somebody may write it: another name, without its article, with a slip of the hand."""
        name, others = (self.term_zh, self.also_zh) if zh else (self.term, self.also)
        if others and rng.random() < ALSO_SHARE:
            name = rng.choice(others)
        if zh:
            return name
        if rng.random() < BARE_SHARE:
            name = name.removeprefix("a ").removeprefix("an ").removeprefix("the ")
        if len(name) >= SHORTEST_WITH_TYPO and rng.random() < TYPO_SHARE:
            place = rng.randrange(3, len(name) - 2)
            middle = rng.choice((name[place + 1] + name[place], name[place + 1], name[place] * 2 + name[place + 1]))
            name = name[:place] + middle + name[place + 2 :]
        return name


TERMS: tuple[Entry, ...] = (
    Entry("artificial intelligence", "Artificial intelligence is the field that builds programs which do tasks that seem to need human intelligence, such as understanding language, seeing and planning.", "人工智能", "人工智能是让计算机完成通常需要人类智能的任务的技术，例如理解语言、识别图像和做计划。", also=("AI",), also_zh=("AI",)),
    Entry("machine learning", "Machine learning is a way to make programs that learn rules from examples instead of being told each rule.", "机器学习", "机器学习是让程序从例子中学习规律的方法，而不是由人写出每条规则。", also=("ML",)),
    Entry("deep learning", "Deep learning is machine learning with neural networks of many layers.", "深度学习", "深度学习是使用多层神经网络的机器学习。"),
    Entry("a neural network", "A neural network is a function of many simple units in layers; its weights are learned from data.", "神经网络", "神经网络由许多分层的简单单元组成，它的权重从数据中学习得到。", also=("a neural net", "neural networks")),
    Entry("a large language model", "A large language model is a neural network trained on much text to predict the next token, so that it can write and answer.", "大语言模型", "大语言模型是在大量文本上训练、预测下一个词元的神经网络，因此它能写作和回答问题。", also=("an LLM", "LLMs", "large language models"), also_zh=("大模型", "LLM")),
    Entry("a token", "A token is a piece of text, often part of a word, that a language model reads and writes.", "词元", "词元是语言模型读写的文本小块，常常是一个词的一部分。", also=("tokens",), also_zh=("token",)),
    Entry("a tokenizer", "A tokenizer cuts text into tokens and turns tokens back into text.", "分词器", "分词器把文本切成词元，也把词元变回文本。"),
    Entry("attention", "Attention lets a model weigh which earlier tokens matter for the next one.", "注意力机制", "注意力机制让模型衡量前面哪些词元对下一个词元重要。", also=("the attention mechanism",), also_zh=("注意力",)),
    Entry("self-attention", "In self-attention each token of a text looks at the other tokens of the same text and mixes what they hold.", "自注意力", "在自注意力中，文本里的每个词元查看同一文本的其他词元并混合它们的信息。", also=("self attention",), also_zh=("自注意力机制",)),
    Entry("a transformer", "A transformer is a neural network built of attention and feed-forward layers; most language models are transformers.", "变换器模型", "变换器模型是由注意力层和前馈层组成的神经网络，大多数语言模型都是这种结构。", also=("the transformer architecture", "transformers"), also_zh=("Transformer",)),
    Entry("fine-tuning", "Fine-tuning trains an existing model a little further on examples of one task.", "微调", "微调是用某个任务的例子继续训练一个已有的模型。", also=("fine tuning", "finetuning")),
    Entry("pre-training", "Pre-training is the first, long training of a model on much text, before it is tuned for tasks.", "预训练", "预训练是模型在大量文本上的第一次长时间训练，之后再针对任务调整。", also=("pretraining",)),
    Entry("an embedding", "An embedding is a list of numbers that stands for a text, so that similar texts have similar numbers.", "嵌入向量", "嵌入向量是代表一段文本的一列数字，相似的文本有相似的数字。", also=("embeddings",), also_zh=("嵌入",)),
    Entry("a prompt", "A prompt is the text that a model is given to answer.", "提示词", "提示词是交给模型让它回答的文本。", also=("prompts",), also_zh=("提示",)),
    Entry("temperature", "Temperature sets how random the choice of the next token is: 0 always takes the most likely one.", "温度参数", "温度参数决定选择下一个词元的随机程度：为 0 时总是选最可能的词元。", also_zh=("温度",)),
    Entry("a context window", "The context window is how many tokens a model can read at once.", "上下文窗口", "上下文窗口是模型一次能读取的词元数量。"),
    Entry("inference", "Inference is running a trained model to get an answer.", "推理", "推理是运行训练好的模型来得到答案。"),
    Entry("quantization", "Quantization stores the weights of a model with fewer bits, so that it needs less memory.", "量化", "量化用更少的位数存储模型的权重，从而减少内存。"),
    Entry("a hallucination", "A hallucination is an answer that a model makes up although it sounds right.", "幻觉", "幻觉是模型编造的、听起来正确但并不真实的回答。", also=("hallucinations",), also_zh=("模型幻觉",)),
    Entry("retrieval augmented generation", "Retrieval augmented generation first searches documents and then lets the model answer from what was found.", "检索增强生成", "检索增强生成先搜索文档，再让模型根据找到的内容回答。", also=("RAG",), also_zh=("RAG",)),
    Entry("overfitting", "Overfitting means that a model has learned its examples by heart and does badly on new ones.", "过拟合", "过拟合是指模型死记了训练例子，在新例子上表现不好。"),
    Entry("a gradient", "A gradient tells how the error changes when a weight changes; training follows it downhill.", "梯度", "梯度表示权重变化时误差如何变化，训练沿着它下降。"),
    Entry("an assistant", "An assistant is a model with instructions and tools under a name; runs use it to answer on threads.", "助手", "助手是带有指令和工具的模型；运行用它在对话线程上回答。"),
    Entry("a thread", "A thread is a conversation that is kept on the server: a list of messages that runs work on.", "线程", "线程是保存在服务器上的对话：一列消息，运行在它上面工作。"),
    Entry("a message", "A message is one turn of a thread, written by the user or by the assistant.", "消息", "消息是线程中的一轮发言，由用户或助手写成。"),
    Entry("a run", "A run lets an assistant answer on a thread; it goes from queued to in progress to completed.", "运行", "运行让助手在线程上回答；它从排队到进行中再到完成。"),
    Entry("a run step", "A run step is one part of a run: a message that was written or tools that were called.", "运行步骤", "运行步骤是运行的一部分：写出的一条消息或调用的工具。", also=("run steps",)),
    Entry("function calling", "In function calling the model names a function of yours and its arguments; you run it and submit the output.", "函数调用", "函数调用是模型给出你的函数名和参数；你执行它并提交结果。", also=("tool calling",), also_zh=("工具调用",)),
    Entry("a tool", "A tool is something an assistant may use: your functions, file search or the code interpreter.", "工具", "工具是助手可以使用的东西：你的函数、文件搜索或代码解释器。"),
    Entry("file search", "File search finds passages in your uploaded files, so that the answer can cite them.", "文件搜索", "文件搜索在你上传的文件中找到相关段落，回答可以引用它们。", also=("file_search",)),
    Entry("the code interpreter", "The code interpreter lets an assistant write and run Python in a sandbox.", "代码解释器", "代码解释器让助手在沙箱中编写并运行 Python 代码。", also=("code_interpreter",)),
    Entry("a vector store", "A vector store holds files that were cut into chunks and indexed for file search.", "向量库", "向量库保存被切成小块并建立索引的文件，供文件搜索使用。", also=("vector stores",), also_zh=("向量数据库",)),
    Entry("streaming", "Streaming sends the answer piece by piece as events while the model writes it.", "流式输出", "流式输出是在模型写作的同时，把回答一段一段地作为事件发送。"),
    Entry("metadata", "Metadata are up to 16 pairs of text that you can keep with an object.", "元数据", "元数据是你可以附在对象上的最多 16 对文本。"),
    Entry("an API key", "An API key is the secret that a client sends to prove that it may use the server.", "API 密钥", "API 密钥是客户端发送的秘密，用来证明它可以使用服务器。", also_zh=("API密钥",)),
    Entry("the Assistants API", "The Assistants API is a web interface with assistants, threads, messages and runs; this server speaks it on your own machine.", "Assistants API", "Assistants API 是包含助手、线程、消息和运行的网络接口；本服务器在你自己的机器上提供它。"),
    Entry("a GPU", "A GPU is a processor with many small cores that makes training and running models fast.", "GPU", "GPU 是有许多小核心的处理器，能加快模型的训练和运行。", also=("a graphics processing unit", "GPUs"), also_zh=("显卡",)),
    Entry("open source", "Open source software comes with its source code and the right to use and change it.", "开源软件", "开源软件提供源代码，并允许使用和修改。", also=("open source software",), also_zh=("开源",)),
    Entry("a parameter", "A parameter is one of the numbers inside a model that training changes.", "参数", "参数是模型内部的一个数字，训练会改变它。"),
    Entry("weights", "Weights are the learned numbers of a model; together they hold what it has learned.", "权重", "权重是模型学到的数字，它们合起来保存了模型所学的内容。", also=("model weights",)),
    Entry("a layer", "A layer is one stage of a neural network; it takes numbers and passes changed numbers on.", "网络层", "网络层是神经网络的一级，它接收数字，变换后传给下一级。"),
    Entry("an activation function", "An activation function bends the output of a layer, so that the network can learn more than straight lines.", "激活函数", "激活函数让一层的输出变成非线性的，使网络能学习复杂的关系。"),
    Entry("backpropagation", "Backpropagation computes from the error, layer by layer backwards, how each weight should change.", "反向传播", "反向传播从误差出发逐层向后，计算每个权重该怎样改变。", also=("back propagation", "backprop")),
    Entry("gradient descent", "Gradient descent improves a model by many small steps against the gradient of the loss.", "梯度下降", "梯度下降沿着损失梯度的反方向走很多小步来改进模型。"),
    Entry("a loss function", "A loss function measures how wrong a model is; training makes it small.", "损失函数", "损失函数衡量模型错得有多远，训练就是让它变小。", also=("a loss", "the loss")),
    Entry("the learning rate", "The learning rate sets how large each step of the training is.", "学习率", "学习率决定训练中每一步走多大。"),
    Entry("an epoch", "An epoch is one pass of the training over the whole data set.", "训练轮次", "训练轮次是训练把整个数据集过一遍。"),
    Entry("a batch", "A batch is a group of examples that a model handles at the same time.", "批次", "批次是模型同时处理的一组例子。"),
    Entry("batch size", "The batch size is how many examples are handled in one training step.", "批大小", "批大小是一个训练步骤中处理的例子数量。"),
    Entry("an optimizer", "An optimizer is the rule by which training changes the weights, for example Adam.", "优化器", "优化器是训练中改变权重的规则，例如 Adam。", also=("Adam", "AdamW")),
    Entry("a hyperparameter", "A hyperparameter is a setting chosen before the training, such as the learning rate.", "超参数", "超参数是训练前选定的设置，例如学习率。"),
    Entry("a data set", "A data set is a collection of examples for training or testing a model.", "数据集", "数据集是用来训练或测试模型的一批例子。", also=("a dataset", "training data")),
    Entry("a test set", "A test set holds examples that training never sees; it shows how good a model really is.", "测试集", "测试集是训练从未见过的例子，用来看模型真正的水平。"),
    Entry("a validation set", "A validation set is data kept aside to choose settings while a model is being developed.", "验证集", "验证集是留出来的数据，在开发模型时用来选择设置。"),
    Entry("supervised learning", "Supervised learning trains on examples whose right answers are given.", "监督学习", "监督学习用带有正确答案的例子来训练。"),
    Entry("unsupervised learning", "Unsupervised learning finds structure in data that has no given answers.", "无监督学习", "无监督学习在没有答案的数据中寻找结构。"),
    Entry("reinforcement learning", "Reinforcement learning trains by trial and reward: what earns more is done more often.", "强化学习", "强化学习通过尝试和奖励来训练：得分高的做法会更常被采用。", also=("RL",)),
    Entry("RLHF", "RLHF is reinforcement learning from human feedback: people compare answers, and the model learns to give the preferred ones.", "人类反馈强化学习", "人类反馈强化学习是由人比较回答，让模型学会给出更受欢迎的回答。", also=("reinforcement learning from human feedback",)),
    Entry("transfer learning", "Transfer learning uses what a model learned from one task for another task.", "迁移学习", "迁移学习把模型从一个任务学到的东西用到另一个任务上。"),
    Entry("instruction tuning", "Instruction tuning trains a model on instructions with good answers, so that it does what it is told.", "指令微调", "指令微调用指令和好的回答训练模型，让它按要求做事。"),
    Entry("LoRA", "LoRA fine-tunes a model by training small added matrices while the old weights stay as they are.", "LoRA", "LoRA 只训练附加的小矩阵来微调模型，原来的权重保持不变。", also=("low-rank adaptation",)),
    Entry("distillation", "Distillation trains a small model to imitate a large one.", "知识蒸馏", "知识蒸馏是训练小模型去模仿大模型。", also=("knowledge distillation",)),
    Entry("natural language processing", "Natural language processing is the field that lets computers work with human language.", "自然语言处理", "自然语言处理是让计算机处理人类语言的领域。", also=("NLP",)),
    Entry("computer vision", "Computer vision is the field that lets computers understand images and videos.", "计算机视觉", "计算机视觉是让计算机理解图像和视频的领域。"),
    Entry("speech recognition", "Speech recognition turns spoken words into text.", "语音识别", "语音识别把说出的话变成文字。"),
    Entry("machine translation", "Machine translation is translating text from one language into another by a program.", "机器翻译", "机器翻译是用程序把文本从一种语言译成另一种语言。"),
    Entry("sentiment analysis", "Sentiment analysis finds out whether a text sounds positive or negative.", "情感分析", "情感分析判断一段文字的情绪是正面还是负面。"),
    Entry("intent recognition", "Intent recognition finds out what a user wants from what the user says.", "意图识别", "意图识别是从用户的话里判断用户想做什么。", also=("intent detection", "an intent")),
    Entry("an entity", "An entity is a piece of information in a sentence, such as a name, a place or a number.", "实体", "实体是句子里的一条信息，例如名字、地点或数字。", also=("named entity recognition", "entity extraction")),
    Entry("classification", "Classification sorts things into given classes, for example mail into spam and not spam.", "分类", "分类是把事物归入给定的类别，例如把邮件分为垃圾邮件和正常邮件。"),
    Entry("regression", "Regression predicts a number, for example a price, from other values.", "回归", "回归是根据其他数值预测一个数，例如价格。"),
    Entry("clustering", "Clustering puts similar things into groups without being told the groups.", "聚类", "聚类把相似的东西分到一组，而事先不知道有哪些组。"),
    Entry("a decision tree", "A decision tree decides by a chain of simple questions about the data.", "决策树", "决策树通过一连串关于数据的简单问题来做决定。"),
    Entry("a convolutional neural network", "A convolutional neural network slides small filters over an image to find patterns.", "卷积神经网络", "卷积神经网络用小滤波器扫过图像来寻找特征。", also=("a CNN",)),
    Entry("a recurrent neural network", "A recurrent neural network reads a sequence step by step and keeps a state between the steps.", "循环神经网络", "循环神经网络一步一步读取序列，并在步骤之间保留状态。", also=("an RNN",)),
    Entry("a generative model", "A generative model makes new text, images or sounds that resemble its training data.", "生成模型", "生成模型能产生与训练数据相似的新文本、图像或声音。", also=("generative AI",)),
    Entry("a diffusion model", "A diffusion model makes an image by removing noise step by step.", "扩散模型", "扩散模型通过一步步去除噪声来生成图像。"),
    Entry("a language model", "A language model gives each possible next token a probability.", "语言模型", "语言模型给每个可能的下一个词元一个概率。"),
    Entry("a foundation model", "A foundation model is a large model trained on broad data that can be adapted to many tasks.", "基础模型", "基础模型是在广泛数据上训练、可以适应许多任务的大模型。"),
    Entry("a multimodal model", "A multimodal model handles more than text, for example images and sound.", "多模态模型", "多模态模型不只处理文本，还处理图像或声音等。"),
    Entry("a chatbot", "A chatbot is a program that people talk with in ordinary language.", "聊天机器人", "聊天机器人是人们可以用日常语言与之对话的程序。"),
    Entry("an agent", "An agent is a program in which a model decides on its own which steps and tools lead to the goal.", "智能体", "智能体是由模型自己决定用哪些步骤和工具来达到目标的程序。", also=("an AI agent",)),
    Entry("prompt engineering", "Prompt engineering is the craft of wording a prompt so that the model answers well.", "提示工程", "提示工程是设计提示词、让模型答得更好的技巧。"),
    Entry("few-shot learning", "In few-shot learning a prompt shows some examples, and the model does the task in the same way.", "少样本学习", "少样本学习是在提示词里给几个例子，让模型照样完成任务。", also=("few-shot prompting",)),
    Entry("zero-shot learning", "Zero-shot means that a model does a task without having been shown any example of it.", "零样本学习", "零样本学习是不给任何例子就让模型完成任务。", also=("zero-shot",)),
    Entry("chain of thought", "Chain of thought lets a model write its reasoning step by step before the answer.", "思维链", "思维链让模型在回答之前一步步写出推理过程。"),
    Entry("a system prompt", "A system prompt is the text at the start that tells a model how to behave.", "系统提示词", "系统提示词是放在开头、告诉模型怎样表现的文本。", also=("a system message",)),
    Entry("top_p", "With top_p only the most likely tokens whose probabilities add up to p may be chosen.", "top_p", "top_p 表示只从概率之和达到 p 的最可能词元中选择。", also=("top-p", "nucleus sampling")),
    Entry("sampling", "Sampling is drawing the next token at random by its probability.", "采样", "采样是按概率随机抽取下一个词元。"),
    Entry("greedy decoding", "Greedy decoding always takes the most likely next token.", "贪心解码", "贪心解码总是选最可能的下一个词元。"),
    Entry("beam search", "Beam search follows several likely continuations at once and keeps the best.", "束搜索", "束搜索同时跟踪几个可能的续写，并保留最好的。"),
    Entry("perplexity", "Perplexity measures how surprised a language model is by a text; lower is better.", "困惑度", "困惑度衡量语言模型对一段文本有多意外，越低越好。"),
    Entry("the KV cache", "The KV cache keeps the keys and values of tokens already read, so that they need not be computed again.", "键值缓存", "键值缓存保存已读词元的键和值，这样就不必重新计算。", also=("a key-value cache",)),
    Entry("continuous batching", "Continuous batching lets new requests join the running batch at every step, so that nobody waits for the longest answer.", "连续批处理", "连续批处理让新请求在每一步都能加入正在运行的批次，不必等最长的回答。"),
    Entry("speculative decoding", "In speculative decoding a cheap draft guesses several tokens and the model checks them at once.", "推测解码", "推测解码先用便宜的方法猜几个词元，再由模型一次检查。"),
    Entry("latency", "Latency is the time from a request until its answer begins.", "延迟", "延迟是从请求发出到开始回答的时间。"),
    Entry("throughput", "Throughput is how much work is done per second, for example tokens per second.", "吞吐量", "吞吐量是每秒完成的工作量，例如每秒的词元数。"),
    Entry("a checkpoint", "A checkpoint is a saved state of a model during training.", "检查点", "检查点是训练过程中保存的模型状态。"),
    Entry("safetensors", "Safetensors is a file format for model weights that holds only numbers and no code.", "safetensors", "safetensors 是保存模型权重的文件格式，只有数字，没有代码。"),
    Entry("a vector", "A vector is a list of numbers; similar things can have similar vectors.", "向量", "向量是一列数字，相似的事物可以有相似的向量。"),
    Entry("a matrix", "A matrix is a table of numbers in rows and columns.", "矩阵", "矩阵是按行和列排列的数字表。"),
    Entry("a tensor", "A tensor is an array of numbers with any number of dimensions.", "张量", "张量是任意维数的数字数组。"),
    Entry("cosine similarity", "Cosine similarity compares two vectors by the angle between them.", "余弦相似度", "余弦相似度通过两个向量之间的夹角来比较它们。"),
    Entry("semantic search", "Semantic search finds texts by their meaning instead of by equal words.", "语义搜索", "语义搜索按意思而不是按相同的词来查找文本。"),
    Entry("BM25", "BM25 ranks documents by the words of the query: rare words count more, long documents less.", "BM25", "BM25 按查询词给文档排序：少见的词分量更重，长文档分量更轻。"),
    Entry("a chunk", "A chunk is a piece of a document, small enough to be searched and shown to the model.", "文本块", "文本块是文档的一小段，便于搜索并交给模型阅读。", also=("chunking",)),
    Entry("a knowledge base", "A knowledge base is a collection of documents that answers are taken from.", "知识库", "知识库是一批文档，回答从中得来。"),
    Entry("a citation", "A citation shows from which file a statement of the answer comes.", "引用", "引用表明回答中的一句话出自哪个文件。"),
    Entry("an annotation", "An annotation marks a place in a message, for example a citation of a file.", "注释", "注释标出消息中的一处，例如对文件的引用。"),
    Entry("bias", "Bias is a tendency of a model to be systematically unfair or wrong, often learned from its data.", "偏见", "偏见是模型系统性的不公平或错误倾向，常常来自数据。"),
    Entry("alignment", "Alignment means making a model act according to what people want and value.", "对齐", "对齐是让模型的行为符合人的意愿和价值。"),
    Entry("a guardrail", "A guardrail is a check that keeps a model from unwanted inputs or answers.", "护栏", "护栏是防止模型接受或给出不当内容的检查。"),
    Entry("prompt injection", "Prompt injection is text that tries to make a model follow an attacker instead of its instructions.", "提示注入", "提示注入是一段企图让模型听从攻击者而不是原指令的文本。"),
    Entry("artificial general intelligence", "Artificial general intelligence would be a machine that can do any mental task that people can; it does not exist yet.", "通用人工智能", "通用人工智能是能完成人类一切脑力任务的机器，目前还不存在。", also=("AGI",)),
    Entry("the Turing test", "In the Turing test a person chats with a machine and a human and tries to tell which is which.", "图灵测试", "图灵测试让人同时与机器和真人聊天，看能否分辨出谁是机器。"),
    Entry("an algorithm", "An algorithm is a list of exact steps that solves a problem.", "算法", "算法是解决问题的一系列明确步骤。"),
    Entry("big data", "Big data means amounts of data too large for ordinary tools.", "大数据", "大数据是指普通工具难以处理的大量数据。"),
    Entry("a CPU", "A CPU is the main processor of a computer; it runs any program, step by step.", "CPU", "CPU 是计算机的主处理器，一步一步地运行各种程序。", also=("a processor",)),
    Entry("a benchmark", "A benchmark is a fixed set of tasks that compares models or programs.", "基准测试", "基准测试是用来比较模型或程序的一组固定任务。"),
    Entry("mixture of experts", "A mixture of experts has many parts, and a router sends each token to only a few of them.", "混合专家模型", "混合专家模型有许多部分，每个词元只被送到其中几个。", also=("MoE",)),
    Entry("positional encoding", "Positional encoding tells a transformer at which place each token stands.", "位置编码", "位置编码告诉变换器模型每个词元在什么位置。", also=("a position embedding", "RoPE")),
    Entry("an attention head", "An attention head is one of several parallel attentions in a layer, each looking for something else.", "注意力头", "注意力头是一层中多个并行注意力之一，各自关注不同的东西。", also=("multi-head attention",)),
    Entry("an encoder", "An encoder turns an input into numbers that hold its meaning.", "编码器", "编码器把输入变成保存其含义的数字。"),
    Entry("a decoder", "A decoder turns inner numbers into an output, for example text token by token.", "解码器", "解码器把内部的数字变成输出，例如逐个词元的文本。"),
    Entry("byte pair encoding", "Byte pair encoding builds a vocabulary by joining the most frequent pairs of pieces again and again.", "字节对编码", "字节对编码不断合并最常见的相邻片段来建立词表。", also=("BPE",)),
    Entry("a vocabulary", "The vocabulary is the list of all tokens that a model knows.", "词表", "词表是模型认识的全部词元的列表。"),
    Entry("softmax", "Softmax turns scores into probabilities that add up to one.", "softmax", "softmax 把分数变成总和为一的概率。"),
    Entry("logits", "Logits are the raw scores that a model gives each token before they become probabilities.", "logits", "logits 是模型给每个词元的原始分数，之后才变成概率。"),
    Entry("dropout", "Dropout switches random units off during training, so that a network does not rely on single ones.", "随机失活", "随机失活在训练时随机关闭一些单元，使网络不依赖个别单元。"),
    Entry("underfitting", "Underfitting means that a model is too simple or too little trained to learn its data.", "欠拟合", "欠拟合是指模型太简单或训练太少，没有学好数据。"),
    Entry("accuracy", "Accuracy is the share of answers that are right.", "准确率", "准确率是正确回答所占的比例。"),
    Entry("precision", "Precision is the share of the found things that were really wanted.", "精确率", "精确率是找到的结果中真正需要的比例。"),
    Entry("recall", "Recall is the share of the wanted things that were found.", "召回率", "召回率是需要的结果中被找到的比例。"),
    Entry("the F1 score", "The F1 score joins precision and recall in one number.", "F1 分数", "F1 分数把精确率和召回率合成一个数。"),
    Entry("Python", "Python is a programming language that is easy to read and much used for data and machine learning.", "Python", "Python 是一种易读的编程语言，常用于数据处理和机器学习。"),
    Entry("PyTorch", "PyTorch is a Python library for building and training neural networks.", "PyTorch", "PyTorch 是用来搭建和训练神经网络的 Python 库。"),
    Entry("the transformers library", "Transformers is a Python library by Hugging Face that loads and runs many language models.", "transformers 库", "transformers 库是 Hugging Face 的 Python 库，可以加载和运行许多语言模型。", also=("Hugging Face", "Hugging Face transformers")),
    Entry("an API", "An API is the agreed way in which one program asks another for something.", "API", "API 是一个程序向另一个程序请求服务的约定方式。", also=("application programming interface",)),
    Entry("an SDK", "An SDK is a library that makes calling an API easy from a programming language.", "SDK", "SDK 是让人方便地用编程语言调用 API 的库。", also=("a software development kit",)),
    Entry("JSON", "JSON is a text format for data made of keys, values and lists.", "JSON", "JSON 是由键、值和列表组成的文本数据格式。"),
    Entry("a JSON schema", "A JSON schema describes which keys and types a JSON document must have.", "JSON 模式", "JSON 模式描述一份 JSON 必须有哪些键和类型。"),
    Entry("structured output", "Structured output makes the model write JSON that fits a given schema.", "结构化输出", "结构化输出让模型写出符合给定模式的 JSON。", also=("structured outputs", "JSON mode")),
    Entry("HTTP", "HTTP is the protocol by which programs request things over the web.", "HTTP", "HTTP 是程序在网络上发送请求和回答的协议。"),
    Entry("REST", "REST is a style of web interfaces in which each thing has an address and is read or changed by HTTP.", "REST", "REST 是一种网络接口风格：每个对象有一个地址，用 HTTP 读取或修改。", also=("a REST API",)),
    Entry("an endpoint", "An endpoint is one address of an API, for example /v1/threads.", "端点", "端点是 API 的一个地址，例如 /v1/threads。"),
    Entry("a server", "A server is a program that waits for requests and answers them.", "服务器", "服务器是等待请求并作出回答的程序。"),
    Entry("a client", "A client is a program that sends requests to a server.", "客户端", "客户端是向服务器发送请求的程序。"),
    Entry("a server-sent event", "A server-sent event is a small message that the server pushes over an open connection.", "服务器推送事件", "服务器推送事件是服务器通过打开的连接发来的小消息。", also=("SSE", "server-sent events")),
    Entry("a delta", "A delta is the new piece of a message that arrives while it is being streamed.", "增量", "增量是流式输出时新到的一小段消息。"),
    Entry("a webhook", "A webhook is an address of yours that the server calls when something has happened.", "网络钩子", "网络钩子是你的一个地址，有事发生时服务器会调用它。"),
    Entry("polling", "Polling means asking again and again until a run is finished.", "轮询", "轮询是反复查询，直到运行结束。"),
    Entry("instructions", "Instructions tell an assistant how to behave; a run can replace or add to them.", "指令", "指令告诉助手怎样表现，运行时可以替换或补充它们。", also=("assistant instructions",)),
    Entry("required action", "A run requires action when it waits for the outputs of your functions.", "需要操作", "需要操作表示运行正在等待你的函数结果。", also=("requires_action",)),
    Entry("a tool output", "A tool output is the result of your function that you submit to the run.", "工具输出", "工具输出是你的函数的结果，由你提交给运行。"),
    Entry("tool choice", "Tool choice says whether the model may, must or must not use a tool.", "工具选择", "工具选择规定模型可以、必须还是不能使用工具。", also=("tool_choice",)),
    Entry("parallel tool calls", "Parallel tool calls are several calls that a model makes in one turn.", "并行工具调用", "并行工具调用是模型在一轮中发出的多个调用。"),
    Entry("run status", "The status of a run says where it stands: queued, in progress, requires action, completed, failed, cancelled, expired or incomplete.", "运行状态", "运行状态说明运行进行到哪里：排队、进行中、需要操作、完成、失败、取消、过期或未完成。", also=("the status of a run",)),
    Entry("a file", "A file is a document that you upload for file search or for the code interpreter.", "文件", "文件是你上传的文档，供文件搜索或代码解释器使用。"),
    Entry("an attachment", "An attachment is a file that is added to a message together with the tools that may use it.", "附件", "附件是随消息加入的文件，并注明哪些工具可以使用它。"),
    Entry("token usage", "Usage tells how many tokens a run has read and written.", "用量", "用量说明一个运行读写了多少词元。", also=("usage",)),
    Entry("truncation", "Truncation leaves out the oldest messages when a thread is too long for the model.", "截断", "截断是在线程对模型来说太长时略去最早的消息。", also=("a truncation strategy",)),
    Entry("a rate limit", "A rate limit is how many requests a client may send in a given time.", "速率限制", "速率限制是客户端在一段时间内可以发送的请求数量。"),
    Entry("pagination", "Pagination returns a long list in pages; after names the last object of the page before.", "分页", "分页把长列表一页一页地返回，用 after 指出上一页的最后一个对象。"),
    Entry("a sandbox", "A sandbox is a closed place where code runs without touching the rest of the machine.", "沙箱", "沙箱是一个封闭的环境，代码在里面运行而不影响机器的其他部分。"),
    Entry("self-hosting", "Self-hosting means running a service on your own machine, so that the data stays with you.", "自托管", "自托管是在自己的机器上运行服务，数据留在自己手里。"),
    Entry("Docker", "Docker runs programs in containers that bring everything they need.", "Docker", "Docker 在容器中运行程序，容器自带所需的一切。", also=("a container",)),
    Entry("SQLite", "SQLite is a small database in a single file; this server uses it unless told otherwise.", "SQLite", "SQLite 是保存在单个文件里的小型数据库，本服务器默认使用它。"),
    Entry("PostgreSQL", "PostgreSQL is a database server; use it when several server processes share the data.", "PostgreSQL", "PostgreSQL 是数据库服务器，多个服务进程共享数据时使用它。", also=("Postgres",)),
    Entry("a database", "A database stores data in order, so that programs can find and change it.", "数据库", "数据库有条理地保存数据，便于程序查找和修改。"),
    Entry("idempotency", "Idempotency means that sending the same request twice has the effect of sending it once.", "幂等", "幂等是指同一个请求发送两次与发送一次的效果相同。", also=("an idempotency key",)),
    Entry("concurrency", "Concurrency means that several tasks make progress at the same time.", "并发", "并发是指多个任务在同一时间里都在推进。"),
    Entry("asynchronous programming", "Asynchronous programming lets a program go on with other work while it waits.", "异步编程", "异步编程让程序在等待时继续做别的事情。"),
    Entry("caching", "Caching keeps results that were computed once, so that the next time is faster.", "缓存", "缓存保存算过一次的结果，下次就更快。", also=("a cache", "prefix caching")),
    Entry("customer service automation", "Customer service automation lets a program answer customers and hand difficult cases to people.", "智能客服", "智能客服让程序回答客户的问题，并把困难的情况转给人工。"),
    Entry("dialogue management", "Dialogue management decides what a system says or does next in a conversation.", "对话管理", "对话管理决定系统在对话中下一步说什么或做什么。", also=("a dialogue system",)),
    Entry("a knowledge graph", "A knowledge graph stores facts as things and the relations between them.", "知识图谱", "知识图谱把事实存成事物以及事物之间的关系。"),
    Entry("explainability", "Explainability means that people can understand why a model decided as it did.", "可解释性", "可解释性是指人能理解模型为什么这样决定。"),
    Entry("open weights", "Open weights means that the weights of a model can be downloaded and run by anyone.", "开放权重", "开放权重是指任何人都可以下载并运行模型的权重。"),
    Entry("the Hermes format", "In the Hermes format a model writes a call as JSON between tool_call tags.", "Hermes 格式", "在 Hermes 格式中，模型把调用写成 tool_call 标签之间的 JSON。"),
    Entry("a chat template", "A chat template turns a list of messages into the one text that a model reads.", "聊天模板", "聊天模板把一串消息变成模型读取的一段文本。", also=("ChatML",)),
)


class Help(NamedTuple):
    """A question in several wordings with its answer, in each language."""

    asks: tuple[str, ...]
    answer: str
    asks_zh: tuple[str, ...]
    answer_zh: str


HELPS: tuple[Help, ...] = (
    Help(("Who are you?", "What are you?", "What is your name?", "Tell me about yourself", "Introduce yourself", "Are you ChatGPT?", "Which model are you?"), "I am the small built-in model of assistants-api. I run on this machine, and a larger model can take my place: set ASSISTANTS_MODEL.", ("你是谁？", "你是什么？", "你叫什么名字？", "介绍一下你自己", "你是什么模型？", "你是ChatGPT吗？"), "我是 assistants-api 自带的小模型，在这台机器上运行。设置 ASSISTANTS_MODEL 就可以换成更大的模型。"),
    Help(("What can you do?", "How can you help me?", "What are you able to do?", "What are your skills?"), "I can greet you, explain words of this field and this server, call your functions and tell you their results. For more, load a larger model.", ("你能做什么？", "你会什么？", "你有什么功能？", "你可以帮我做什么？"), "我可以打招呼，解释本领域和本服务器的词语，调用你的函数并告诉你结果。需要更多能力请加载更大的模型。"),
    Help(("How do I use a bigger model?", "How can I replace you?", "How do I load another model?", "How do I change the model?", "Can I use my own model?", "How to use a real model?"), "Set ASSISTANTS_MODEL to a hub id or a local folder and start the server again.", ("怎么换更大的模型？", "如何更换模型？", "怎么使用我自己的模型？", "如何加载其他模型？"), "把 ASSISTANTS_MODEL 设为模型库的名称或本地文件夹，然后重新启动服务器。"),
    Help(("How do I connect my app?", "How do I use the official SDK?", "What base_url should I use?", "How do I point my client at this server?"), "Set base_url to http://127.0.0.1:8000/v1 in the official SDK; the rest of your code stays the same.", ("怎么连接我的应用？", "base_url 应该填什么？", "怎么使用官方 SDK？", "客户端怎么连接服务器？"), "在官方 SDK 中把 base_url 设为 http://127.0.0.1:8000/v1，其余代码不变。"),
    Help(("Where is my data stored?", "Is my data private?", "Does my data leave this machine?", "Do you send my data anywhere?"), "Your data stays on this machine, in the data directory of the server. Nothing is sent elsewhere.", ("我的数据存在哪里？", "我的数据安全吗？", "数据会离开这台机器吗？"), "你的数据保存在这台机器上服务器的数据目录中，不会发送到别处。"),
    Help(("How do I cancel a run?", "How can I stop a run?", "Can I cancel a run?"), "Call the cancel operation of the run; the model stops at once and what was written is kept.", ("怎么取消运行？", "如何停止一个运行？"), "调用该运行的取消操作；模型会立即停止，已写出的内容会保留。"),
    Help(("What happens when the server crashes?", "What if the server restarts during a run?", "Is a run lost after a crash?"), "Another attempt takes up the run and continues after the last word that was shown.", ("服务器崩溃了怎么办？", "运行时服务器重启会怎样？"), "另一次尝试会接着进行这个运行，从最后显示的内容继续。"),
    Help(("When does a run expire?", "How long may a run take?", "What is the deadline of a run?"), "A run expires ten minutes after it was created, unless the server is set otherwise.", ("运行什么时候过期？", "一个运行最长多久？"), "除非另有设置，运行在创建十分钟后过期。"),
    Help(("How do I create an assistant?", "How can I make an assistant?"), "Post a model, a name and instructions to /v1/assistants, or call client.beta.assistants.create.", ("怎么创建助手？", "如何新建一个助手？"), "向 /v1/assistants 提交模型、名称和指令，或者调用 client.beta.assistants.create。"),
    Help(("How do I start a run?", "How do I run a thread?", "How can I run an assistant?"), "Create a run with the thread and the assistant id, then poll it or stream its events.", ("怎么开始一个运行？", "如何运行一个线程？"), "用线程和助手的编号创建运行，然后轮询或接收它的事件流。"),
    Help(("Do you work offline?", "Do you need the internet?", "Can you run without internet?"), "Yes, I work offline: nothing is downloaded and no other server is asked.", ("你可以离线工作吗？", "你需要联网吗？"), "可以，我离线工作：不下载任何东西，也不请求其他服务器。"),
    Help(("How were you trained?", "Who trained you?", "What data were you trained on?", "Who made you?"), "I was trained from scratch by the training folder of assistants-api, on text that the same folder makes.", ("你是怎么训练的？", "谁训练了你？", "谁创造了你？"), "我由 assistants-api 的 training 文件夹从零训练，数据也由它生成。"),
    Help(("How big are you?", "How many parameters do you have?", "How large is this model?"), "I have about three million parameters; that is tiny, and I know only little.", ("你有多大？", "你有多少参数？"), "我大约有三百万个参数，非常小，只知道很少的东西。"),
    Help(("What is the answer to submit tool outputs?", "How do I submit tool outputs?", "What do I do when a run requires action?"), "Run the function yourself and submit its output with the tool call id; the run then goes on.", ("怎么提交工具输出？", "运行需要操作时怎么办？"), "自己执行函数，并用工具调用编号提交输出，运行就会继续。"),
    Help(("What languages do you speak?", "Do you speak Chinese?", "Which languages can you use?", "Can you speak English?"), "I speak English and Chinese.", ("你会说什么语言？", "你会说中文吗？", "你会英语吗？"), "我会说中文和英语。"),
)
