# lxml, Beautiful Soup, Requests, PyYAML
# needs: lxml beautifulsoup4 requests PyYAML
# %%
import bs4
import lxml.etree
import lxml.html
import requests
import requests.adapters
import yaml

# %% root: lxml.etree._Element
root = lxml.etree.fromstring("<a x='1'><b>t</b></a>")
# probe: lxml.etree.tostring(root), root[0].text

# %% document: lxml.etree._ElementTree
document = lxml.etree.ElementTree(root)
# probe: document.getroot().tag

# %% path: lxml.etree.XPath
path = lxml.etree.XPath("//b/text()")
# probe: [str(t) for t in path(lxml.etree.fromstring("<a><b>t</b></a>"))]

# %% page: lxml.html.HtmlElement
page = lxml.html.fromstring("<p class='x'>Hello <b>you</b></p>")
# probe: page.text_content(), page.get("class")

# %% soup: bs4.BeautifulSoup
soup = bs4.BeautifulSoup("<p>One<p>Two", "html.parser")
# probe: [p.text for p in soup.find_all("p")]

# %% tag: bs4.element.Tag
tag = soup.p
# probe: tag.name, tag.text, tag is soup.p, tag.parent is soup

# %% session: requests.Session
session = requests.Session()
session.headers["User-Agent"] = "support"
session.cookies.set("a", "1")
# probe: session.headers["User-Agent"], session.cookies.get("a")

# %% request: requests.Request
request = requests.Request("GET", "https://example.org", params={"a": 1})
# probe: request.prepare().url

# %% response: requests.Response
response = requests.Response()
response.status_code, response._content, response.encoding = 200, b'{"a": 1}', "utf-8"
# probe: response.json(), response.ok

# %% jar: requests.cookies.RequestsCookieJar
jar = requests.cookies.cookiejar_from_dict({"a": "1"})
# probe: jar.get("a")

# %% retries: urllib3.util.retry.Retry
from urllib3.util.retry import Retry

retries = Retry(total=3)
# probe: retries.total

# %% loader: yaml.SafeLoader
loader = yaml.SafeLoader("a: 1")
# probe: loader.get_data()
