# RDKit, hist, OR-Tools, PuLP
# needs: rdkit hist ortools pulp
# %%
import boost_histogram
import hist
import ortools.sat.python.cp_model
import pulp
import rdkit.Chem
import rdkit.DataStructs

# %% molecule: rdkit.Chem.Mol
molecule = rdkit.Chem.MolFromSmiles("CCO")
# probe: rdkit.Chem.MolToSmiles(molecule), molecule.GetNumAtoms()

# %% atom: rdkit.Chem.Atom
atom = molecule.GetAtomWithIdx(2)
# probe: atom.GetSymbol()

# %% finger: rdkit.DataStructs.ExplicitBitVect
finger = rdkit.Chem.RDKFingerprint(molecule)
# probe: finger.GetNumOnBits()

# %% histogram: hist.Hist
histogram = hist.Hist.new.Reg(5, 0, 5, name="x").Double()
histogram.fill([1, 2, 2, 3])
# probe: histogram.values().tolist(), histogram.axes[0].name

# %% plain: boost_histogram.Histogram
plain = boost_histogram.Histogram(boost_histogram.axis.Integer(0, 3))
plain.fill([0, 1, 1])
# probe: plain.values().tolist()

# %% problem: pulp.LpProblem
problem = pulp.LpProblem("diet", pulp.LpMinimize)
amount = pulp.LpVariable("amount", 1, 10)
problem += 2 * amount
# probe: problem.name, str(problem.objective)

# %% constrained: ortools.sat.python.cp_model.CpModel
constrained = ortools.sat.python.cp_model.CpModel()
number = constrained.new_int_var(0, 5, "number")
constrained.add(number >= 3)
# probe: len(constrained.proto.constraints)

# %% number: ortools.sat.python.cp_model.IntVar
# probe: number.name
