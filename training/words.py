"""Words that the generators draw from; a share of each list is kept for evaluation only."""

import random

CITIES = ["Paris", "London", "Oslo", "Rome", "Berlin", "Madrid", "Vienna", "Prague", "Lisbon", "Dublin", "Athens", "Warsaw", "Helsinki", "Stockholm", "Copenhagen", "Brussels", "Amsterdam", "Zurich", "Geneva", "Milan", "Naples", "Venice", "Munich", "Hamburg", "Lyon", "Nice", "Porto", "Seville", "Valencia", "Boston", "Chicago", "Denver", "Dallas", "Houston", "Seattle", "Portland", "Miami", "Atlanta", "Phoenix", "Toronto", "Montreal", "Vancouver", "Tokyo", "Osaka", "Kyoto", "Seoul", "Busan", "Mumbai", "Delhi", "Chennai", "Cairo", "Nairobi", "Lagos", "Accra", "Tunis", "Lima", "Quito", "Bogota", "Santiago", "Havana", "Sydney", "Melbourne", "Perth", "Auckland", "Dubai", "Doha", "Tehran", "Baghdad", "Ankara", "Istanbul", "Moscow", "Kiev", "Minsk", "Riga", "Tallinn", "Vilnius", "Sofia", "Bucharest", "Belgrade", "Zagreb"]
TWO_WORD_CITIES = [
    "New York",
    "San Francisco",
    "Los Angeles",
    "San Diego",
    "Buenos Aires",
    "Hong Kong",
    "Cape Town",
    "Mexico City",
    "Kuala Lumpur",
    "Tel Aviv",
    "Rio de Janeiro",
    "Las Vegas",
    "New Delhi",
    "Santa Fe",
]
CITIES_ZH = ["北京", "上海", "广州", "深圳", "杭州", "成都", "武汉", "西安", "南京", "重庆", "天津", "苏州", "青岛", "大连", "厦门", "长沙", "昆明", "哈尔滨", "郑州", "济南", "福州", "合肥", "拉萨", "三亚", "桂林", "台北", "香港", "东京", "巴黎", "伦敦", "纽约", "柏林"]
NAMES = ["Anna", "Ben", "Clara", "David", "Emma", "Felix", "Grace", "Henry", "Ivy", "Jack", "Kate", "Leo", "Mia", "Noah", "Olivia", "Paul", "Quinn", "Rosa", "Sam", "Tina", "Uma", "Victor", "Wendy", "Xavier", "Yara", "Zoe", "Alice", "Bob", "Carol", "Daniel", "Eva", "Frank", "Gina", "Hugo", "Iris", "Jonas", "Karl", "Lara", "Max", "Nina", "Oscar", "Petra", "Robert", "Sara", "Tom", "Vera"]
NAMES_ZH = ["小明", "小红", "小丽", "小刚", "王伟", "李娜", "张敏", "刘洋", "陈静", "杨帆", "赵磊", "黄蓉", "周杰", "吴昊", "徐婷", "孙悦", "马超", "朱琳", "胡军", "郭靖"]
THINGS = ["guitar", "laptop", "phone", "camera", "bicycle", "chair", "table", "lamp", "backpack", "jacket", "shoes", "watch", "printer", "keyboard", "monitor", "tent", "kettle", "toaster", "blender", "sofa", "mirror", "carpet", "helmet", "drill", "hammer", "ladder", "bottle", "umbrella", "notebook", "pencil", "violin", "piano", "drum"]
CHARACTERS_ZH = tuple(
    "春夏秋冬东西南北山水火木金土云雨风雪花草林海江河湖星月日光明安平和美新长高大小天地人文华兴永乐宝玉龙凤虎马白青红黑蓝石田沙城桥门路家园国民学书画音心力智信诚远达通顺吉祥"
)
THINGS_ZH = ["手机", "电脑", "相机", "自行车", "椅子", "桌子", "台灯", "背包", "外套", "鞋子", "手表", "打印机", "键盘", "显示器", "帐篷", "水壶", "沙发", "镜子", "地毯", "头盔", "电钻", "锤子", "雨伞", "笔记本", "铅笔", "小提琴", "钢琴", "吉他", "冰箱", "空调"]
COLORS = ["red", "blue", "green", "yellow", "black", "white", "purple", "orange", "pink", "brown", "grey", "silver", "gold"]
FOODS = ["pizza", "sushi", "pasta", "soup", "salad", "bread", "rice", "cheese", "curry", "tacos", "noodles", "apples", "bananas", "oranges", "grapes", "chocolate", "tea", "coffee"]
TOPICS = ["chess", "football", "tennis", "cricket", "opera", "volcanoes", "dinosaurs", "planets", "rivers", "castles", "bridges", "trains", "ships", "poets", "painters", "kings", "queens", "wars", "treaties", "elections", "taxes", "mushrooms", "whales", "penguins", "bees", "orchids", "cheese", "wine", "pyramids", "comets", "earthquakes", "vaccines", "bacteria", "muscles", "glaciers", "deserts", "jazz", "ballet", "sculpture", "economics", "inflation", "gravity", "magnets", "lasers", "enzymes", "proteins", "fossils", "satellites", "rockets", "violins", "tango", "haiku", "sonnets"]
TOPICS_ZH = ["足球", "象棋", "火山", "恐龙", "行星", "河流", "城堡", "桥梁", "火车", "诗人", "画家", "皇帝", "战争", "选举", "税收", "蘑菇", "鲸鱼", "企鹅", "蜜蜂", "奶酪", "金字塔", "彗星", "地震", "疫苗", "细菌", "冰川", "沙漠", "爵士乐", "芭蕾", "经济学", "通货膨胀", "引力", "激光", "化石", "卫星", "火箭"]
VERBS = ["find", "open", "close", "check", "start", "stop", "read", "update", "remove", "archive", "approve", "publish", "print", "scan", "copy", "move", "track", "cancel", "renew", "lock", "unlock", "export", "import", "verify", "restart", "assign"]
NOUNS = ["order", "invoice", "ticket", "door", "file", "report", "account", "device", "task", "room", "parcel", "contract", "course", "book", "photo", "project", "server", "playlist", "recipe", "flight", "hotel", "meeting", "note", "event", "customer"]
LANGUAGES = ["French", "German", "Spanish", "Italian", "Chinese", "Japanese", "Korean", "Dutch", "Polish", "Greek"]
SUBJECTS = [
    "Meeting",
    "Hello",
    "Invoice",
    "Lunch",
    "Project plan",
    "Thank you",
    "Question",
    "Report",
    "Holiday",
    "Schedule",
    "Budget",
    "Birthday",
]
_SYLLABLES = ["ba", "be", "bi", "bo", "bu", "da", "de", "di", "do", "du", "fa", "fe", "fi", "ga", "go", "ka", "ke", "ki", "ko", "la", "le", "li", "lo", "lu", "ma", "me", "mi", "mo", "mu", "na", "ne", "ni", "no", "ra", "re", "ri", "ro", "sa", "se", "si", "so", "ta", "te", "ti", "to", "va", "ve", "vi", "za", "zo"]


def made_up(rng: random.Random) -> str:
    """A name that nobody has: copying it cannot be done by heart."""
    if rng.random() < 0.3:
        return "".join(
            rng.choice("bcdfghjklmnprstvwz")
            + rng.choice("aeiou")
            + rng.choice(["", "", "n", "r", "l", "s", "x"])
            for _ in range(rng.randint(2, 3))
        ).capitalize()
    return "".join(rng.choice(_SYLLABLES) for _ in range(rng.randint(2, 4))).capitalize()


def city(rng: random.Random) -> str:
    """A city, real or made up."""
    roll = rng.random()
    if roll < 0.45:
        return rng.choice(CITIES)
    return rng.choice(TWO_WORD_CITIES) if roll < 0.6 else made_up(rng)


def person(rng: random.Random) -> str:
    """A first name, real or made up."""
    return rng.choice(NAMES) if rng.random() < 0.5 else made_up(rng)


def number(rng: random.Random) -> str:
    """A number as people write it."""
    roll = rng.random()
    if roll < 0.7:
        return str(rng.randint(0, 10 ** rng.randint(1, 4)))
    return f"{rng.randint(0, 99)}.{rng.randint(1, 99)}"


def code(rng: random.Random) -> str:
    """An order number or the like."""
    letters = "".join(rng.choice("ABCDEFGHKLMNPRSTUVXZ") for _ in range(rng.randint(0, 3)))
    return f"{letters}{'-' if letters and rng.random() < 0.5 else ''}{rng.randint(10, 99999)}"


def email(rng: random.Random) -> str:
    """An address."""
    return f"{person(rng).lower()}@{made_up(rng).lower()}.{rng.choice(['com', 'org', 'net', 'io'])}"


def ticker(rng: random.Random) -> str:
    """A stock symbol."""
    return "".join(rng.choice("ABCDEFGHIJKLMNOPQRSTUVWXYZ") for _ in range(rng.randint(2, 4)))
