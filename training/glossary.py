"""Hand-written questions and answers about this server and the field, in English and Chinese."""

from typing import NamedTuple


class Entry(NamedTuple):
    """A term with its answer in each language."""

    term: str
    answer: str
    term_zh: str
    answer_zh: str


TERMS: tuple[Entry, ...] = (
    Entry("artificial intelligence", "Artificial intelligence is the field that builds programs which do tasks that seem to need human intelligence, such as understanding language, seeing and planning.", "人工智能", "人工智能是让计算机完成通常需要人类智能的任务的技术，例如理解语言、识别图像和做计划。"),
    Entry("machine learning", "Machine learning is a way to make programs that learn rules from examples instead of being told each rule.", "机器学习", "机器学习是让程序从例子中学习规律的方法，而不是由人写出每条规则。"),
    Entry("deep learning", "Deep learning is machine learning with neural networks of many layers.", "深度学习", "深度学习是使用多层神经网络的机器学习。"),
    Entry("a neural network", "A neural network is a function of many simple units in layers; its weights are learned from data.", "神经网络", "神经网络由许多分层的简单单元组成，它的权重从数据中学习得到。"),
    Entry("a large language model", "A large language model is a neural network trained on much text to predict the next token, so that it can write and answer.", "大语言模型", "大语言模型是在大量文本上训练、预测下一个词元的神经网络，因此它能写作和回答问题。"),
    Entry("a token", "A token is a piece of text, often part of a word, that a language model reads and writes.", "词元", "词元是语言模型读写的文本小块，常常是一个词的一部分。"),
    Entry("a tokenizer", "A tokenizer cuts text into tokens and turns tokens back into text.", "分词器", "分词器把文本切成词元，也把词元变回文本。"),
    Entry("attention", "Attention lets a model weigh which earlier tokens matter for the next one.", "注意力机制", "注意力机制让模型衡量前面哪些词元对下一个词元重要。"),
    Entry("self-attention", "In self-attention each token of a text looks at the other tokens of the same text and mixes what they hold.", "自注意力", "在自注意力中，文本里的每个词元查看同一文本的其他词元并混合它们的信息。"),
    Entry("a transformer", "A transformer is a neural network built of attention and feed-forward layers; most language models are transformers.", "变换器模型", "变换器模型是由注意力层和前馈层组成的神经网络，大多数语言模型都是这种结构。"),
    Entry("fine-tuning", "Fine-tuning trains an existing model a little further on examples of one task.", "微调", "微调是用某个任务的例子继续训练一个已有的模型。"),
    Entry("pre-training", "Pre-training is the first, long training of a model on much text, before it is tuned for tasks.", "预训练", "预训练是模型在大量文本上的第一次长时间训练，之后再针对任务调整。"),
    Entry("an embedding", "An embedding is a list of numbers that stands for a text, so that similar texts have similar numbers.", "嵌入向量", "嵌入向量是代表一段文本的一列数字，相似的文本有相似的数字。"),
    Entry("a prompt", "A prompt is the text that a model is given to answer.", "提示词", "提示词是交给模型让它回答的文本。"),
    Entry("temperature", "Temperature sets how random the choice of the next token is: 0 always takes the most likely one.", "温度参数", "温度参数决定选择下一个词元的随机程度：为 0 时总是选最可能的词元。"),
    Entry("a context window", "The context window is how many tokens a model can read at once.", "上下文窗口", "上下文窗口是模型一次能读取的词元数量。"),
    Entry("inference", "Inference is running a trained model to get an answer.", "推理", "推理是运行训练好的模型来得到答案。"),
    Entry("quantization", "Quantization stores the weights of a model with fewer bits, so that it needs less memory.", "量化", "量化用更少的位数存储模型的权重，从而减少内存。"),
    Entry("a hallucination", "A hallucination is an answer that a model makes up although it sounds right.", "幻觉", "幻觉是模型编造的、听起来正确但并不真实的回答。"),
    Entry("retrieval augmented generation", "Retrieval augmented generation first searches documents and then lets the model answer from what was found.", "检索增强生成", "检索增强生成先搜索文档，再让模型根据找到的内容回答。"),
    Entry("overfitting", "Overfitting means that a model has learned its examples by heart and does badly on new ones.", "过拟合", "过拟合是指模型死记了训练例子，在新例子上表现不好。"),
    Entry("a gradient", "A gradient tells how the error changes when a weight changes; training follows it downhill.", "梯度", "梯度表示权重变化时误差如何变化，训练沿着它下降。"),
    Entry("an assistant", "An assistant is a model with instructions and tools under a name; runs use it to answer on threads.", "助手", "助手是带有指令和工具的模型；运行用它在对话线程上回答。"),
    Entry("a thread", "A thread is a conversation that is kept on the server: a list of messages that runs work on.", "线程", "线程是保存在服务器上的对话：一列消息，运行在它上面工作。"),
    Entry("a message", "A message is one turn of a thread, written by the user or by the assistant.", "消息", "消息是线程中的一轮发言，由用户或助手写成。"),
    Entry("a run", "A run lets an assistant answer on a thread; it goes from queued to in progress to completed.", "运行", "运行让助手在线程上回答；它从排队到进行中再到完成。"),
    Entry("a run step", "A run step is one part of a run: a message that was written or tools that were called.", "运行步骤", "运行步骤是运行的一部分：写出的一条消息或调用的工具。"),
    Entry("function calling", "In function calling the model names a function of yours and its arguments; you run it and submit the output.", "函数调用", "函数调用是模型给出你的函数名和参数；你执行它并提交结果。"),
    Entry("a tool", "A tool is something an assistant may use: your functions, file search or the code interpreter.", "工具", "工具是助手可以使用的东西：你的函数、文件搜索或代码解释器。"),
    Entry("file search", "File search finds passages in your uploaded files, so that the answer can cite them.", "文件搜索", "文件搜索在你上传的文件中找到相关段落，回答可以引用它们。"),
    Entry("the code interpreter", "The code interpreter lets an assistant write and run Python in a sandbox.", "代码解释器", "代码解释器让助手在沙箱中编写并运行 Python 代码。"),
    Entry("a vector store", "A vector store holds files that were cut into chunks and indexed for file search.", "向量库", "向量库保存被切成小块并建立索引的文件，供文件搜索使用。"),
    Entry("streaming", "Streaming sends the answer piece by piece as events while the model writes it.", "流式输出", "流式输出是在模型写作的同时，把回答一段一段地作为事件发送。"),
    Entry("metadata", "Metadata are up to 16 pairs of text that you can keep with an object.", "元数据", "元数据是你可以附在对象上的最多 16 对文本。"),
    Entry("an API key", "An API key is the secret that a client sends to prove that it may use the server.", "API 密钥", "API 密钥是客户端发送的秘密，用来证明它可以使用服务器。"),
    Entry("the Assistants API", "The Assistants API is a web interface with assistants, threads, messages and runs; this server speaks it on your own machine.", "Assistants API", "Assistants API 是包含助手、线程、消息和运行的网络接口；本服务器在你自己的机器上提供它。"),
    Entry("a GPU", "A GPU is a processor with many small cores that makes training and running models fast.", "GPU", "GPU 是有许多小核心的处理器，能加快模型的训练和运行。"),
    Entry("open source", "Open source software comes with its source code and the right to use and change it.", "开源软件", "开源软件提供源代码，并允许使用和修改。"),
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
