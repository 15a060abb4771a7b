import json
import os

from flask import Flask, jsonify, request

app = Flask(__name__)
app.json.compact = True
ANSWER_BYTES = int(os.environ['ANSWER_BYTES'])


@app.post('/v1/executions')
def hello():
    body = request.get_json()
    answer = {'result': 'Hello, %s' % json.loads(body['input'])['name'], 'padding': ''}
    missing = ANSWER_BYTES - len(json.dumps(answer, separators=(',', ':'))) - 1  # jsonify ends with a newline
    answer['padding'] = 'x' * max(0, missing)
    return jsonify(answer), 201
