# NetworkX and igraph
# needs: networkx igraph
# %%
import igraph
import networkx as nx

# %% graph: networkx.Graph
graph = nx.karate_club_graph()
# probe: sorted(graph.edges)[:3], graph.nodes[0], graph.name

# %% arrows: networkx.DiGraph
arrows = nx.DiGraph([("a", "b"), ("b", "c")])
arrows.add_edge("a", "c", weight=2.5)
# probe: list(nx.topological_sort(arrows)), arrows["a"]["c"]

# %% many: networkx.MultiGraph
many = nx.MultiGraph([(1, 2), (1, 2)])
# probe: many.number_of_edges(1, 2)

# %% part: networkx.Graph (a view)
part = graph.subgraph([0, 1, 2])
# probe: sorted(part.edges)

# %% degrees: networkx.DegreeView
degrees = graph.degree
# probe: degrees[0]

# %% net: igraph.Graph
net = igraph.Graph.Ring(5)
net.vs["name"] = list("abcde")
# probe: net.get_edgelist(), net.vs["name"]

# %% parts: igraph.VertexClustering
parts = net.connected_components()
# probe: parts.membership

# %% layout: igraph.Layout
layout = igraph.Layout([(0, 1), (2, 3)])
# probe: layout.coords
